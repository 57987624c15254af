import { describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../../src/adapters/store/memory-store.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SeededRandom } from '../../../../src/base/random.ts';
import { OBJECTS_CLAIM, ObjectsClaim } from '../../../../src/controller/objects/objects-claim.ts';
import { KEYS } from '../../../../src/domain/keys.ts';
import { ManualClock } from '../../../support/manual-clock.ts';
import { StoreView } from '../../../support/shared-store.ts';

const clock = new ManualClock();

function process(shared: ReturnType<typeof createMemoryStore>, serviceId: string, machine: string, dir = '/objects') {
  const view = new StoreView(shared);
  const holder = { v: 1, serviceId, machine, dir } as const;
  return { view, take: () => ObjectsClaim.take({ store: view.store, clock, logger: silentLogger, holder }) };
}

const shared = () => createMemoryStore({ clock, random: new SeededRandom(1) });

describe('the claim on the objects', () => {
  it('is one process’s, until that ends: the second one is told who has them and what to do', async () => {
    const store = shared();
    const [shelf, second] = [process(store, 'shelf', 'm1'), process(store, 'second', 'm2')];
    const claim = await shelf.take();
    await expect(second.take()).rejects.toMatchObject({
      code: 'LockBusy',
      message: expect.stringMatching(
        /^shelf has .* \(on m1, in \/objects\).*: take the role objectstore from/,
      ) as string,
    });
    expect(second.view.leases).toBe(0);
    // Another folder of the same machine is another one.
    await expect(process(store, 'shelf', 'm1', '/elsewhere').take()).rejects.toMatchObject({ code: 'LockBusy' });
    await claim.close();
    await (await second.take()).close();
    expect(store.get(KEYS.objectsHolder)).toBeUndefined();
  });

  it('is given to one of those that come at once', async () => {
    const store = shared();
    const taken = await Promise.allSettled(['a', 'b', 'c'].map((name) => process(store, name, name).take()));
    expect(taken.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('of a process that was killed goes at once to the next one of the same folder, and stays its own when the old lease ends', async () => {
    const store = shared();
    const killed = process(store, 'shelf', 'm1');
    await killed.take();
    killed.view.pause();
    const claim = await process(store, 'renamed', 'm1').take();
    await killed.view.lapse();
    expect(store.get(KEYS.objectsHolder)?.value).toMatchObject({ serviceId: 'renamed' });
    await claim.close();
  });

  it('that was lost is taken again, or it is told who has it', async () => {
    const store = shared();
    const [shelf, second] = [process(store, 'shelf', 'm1'), process(store, 'second', 'm2')];
    const claim = await shelf.take();
    await shelf.view.lapse();
    await clock.advance(0);
    expect([store.get(KEYS.objectsHolder)?.value, claim.problem]).toEqual([
      expect.objectContaining({ serviceId: 'shelf' }),
      undefined,
    ]);
    shelf.view.pause();
    await shelf.view.lapse();
    const other = await second.take();
    shelf.view.wake();
    await clock.advance(0);
    expect(claim.problem).toContain('second has the objects');
    await other.close();
    await clock.advance(2 * OBJECTS_CLAIM.againMs);
    expect([store.get(KEYS.objectsHolder)?.value, claim.problem]).toEqual([
      expect.objectContaining({ serviceId: 'shelf' }),
      undefined,
    ]);
    await claim.close();
    await clock.advance(10 * OBJECTS_CLAIM.againMs);
    expect(store.get(KEYS.objectsHolder)).toBeUndefined();
  });

  it('whose lease was over before the answer came is not held, and is taken again', async () => {
    const store = shared();
    const { view, take } = process(store, 'shelf', 'm1');
    const lapseOnce = async (): Promise<void> => {
      view.answering = () => undefined;
      await view.lapse();
    };
    view.answering = lapseOnce;
    await expect(take()).rejects.toMatchObject({ code: 'Unavailable' });
    const claim = await take();
    view.answering = lapseOnce;
    await view.lapse();
    await clock.advance(2 * OBJECTS_CLAIM.againMs);
    expect(store.get(KEYS.objectsHolder)?.value).toMatchObject({ serviceId: 'shelf' });
    await claim.close();
  });
});
