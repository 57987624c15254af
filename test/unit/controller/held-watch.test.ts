import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/base/logger.ts';
import { HeldWatch } from '../../../src/controller/state/held-watch.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { restoredStore, type Restored } from '../../support/restored-store.ts';

describe('a restored store that is held', () => {
  const clock = new ManualClock();
  let restored: Restored;
  let watch: HeldWatch;
  let freed = 0;

  beforeEach(async () => {
    freed = 0;
    restored = await restoredStore([], 10);
    const context = { store: restored.store, clock, logger: silentLogger };
    watch = new HeldWatch(context, { writes: true, onFree: () => (freed += 1) });
    await watch.start();
    await looked();
  });
  afterEach(() => watch.close());

  const looked = (): Promise<void> => clock.advance(3_000);
  const isHeld = (): boolean => restored.store.get(KEYS.held) !== undefined;
  const write = (adoption: { id: string; atMs: number } | undefined): Promise<unknown> =>
    restored.store.txn({
      dels: [KEYS.held],
      puts: adoption === undefined ? [] : [{ key: KEYS.adopted, value: { v: 1, ...adoption } }],
    });

  it('stays so when a second restore takes the record away', async () => {
    expect(isHeld()).toBe(true);
    await write(undefined);
    await looked();
    expect([isHeld(), restored.accepted, freed]).toEqual([true, false, 0]);
  });

  it('is free once it is adopted, and held again when a backup brings back an earlier adoption', async () => {
    await write({ id: 'second', atMs: 2_000 });
    await looked();
    expect([isHeld(), restored.accepted, freed]).toEqual([false, true, 1]);
    restored.notice();
    await write({ id: 'first', atMs: 1_000 });
    await looked();
    expect([isHeld(), restored.accepted, freed]).toEqual([true, false, 1]);
  });
});
