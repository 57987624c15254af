import { expect, it } from 'vitest';
import type { Change, Store } from '../../src/ports/store.ts';
import { until } from '../support/until.ts';
import { okRev, put } from './store.ts';

const TTL_MS = 30_000;

/** What leases do in every engine. */
export function leaseCases(current: () => Store): void {
  const deletions = (): string[] => {
    const seen: string[] = [];
    const note = ({ ops }: Change): void => {
      for (const { key, value } of ops) if (value === undefined) seen.push(key);
    };
    current().watch('', current().rev + 1, note);
    return seen;
  };

  it('a key goes with its lease, and watchers see it go', async () => {
    const lease = await current().lease(TTL_MS);
    await put(current(), 'alive/y', 1);
    okRev(await current().txn({ puts: [{ key: 'alive/x', value: 1, lease }] }));
    expect([current().get('alive/x')?.value, lease.fresh, lease.lost.aborted]).toEqual([1, true, false]);
    const seen = deletions();
    await lease.close();
    await until(() => current().get('alive/x') === undefined, { what: 'the key is gone' });
    expect([seen, lease.fresh, current().get('alive/y')?.value]).toEqual([['alive/x'], false, 1]);
    await lease.close();
  });

  it('a key that was written again without the lease stays', async () => {
    const lease = await current().lease(TTL_MS);
    const other = await current().lease(TTL_MS);
    okRev(await current().txn({ puts: ['a', 'b', 'c'].map((n) => ({ key: `alive/${n}`, value: 1, lease })) }));
    await put(current(), 'alive/a', 2);
    okRev(await current().txn({ puts: [{ key: 'alive/b', value: 2, lease: other }] }));
    await lease.close();
    await until(() => current().get('alive/c') === undefined, { what: 'the key is gone' });
    expect(
      current()
        .range('alive/')
        .map(({ key }) => key),
    ).toEqual(['alive/a', 'alive/b']);
    await other.close();
    await until(() => current().count('alive/') === 1, { what: 'the other is gone' });
  });

  it('refuses a lease that is over, and writes nothing then', async () => {
    const lease = await current().lease(TTL_MS);
    await lease.close();
    await expect(
      current().txn({
        puts: [
          { key: 'alive/x', value: 1, lease },
          { key: 'a', value: 1 },
        ],
      }),
    ).rejects.toMatchObject({ code: 'Unavailable', details: { reason: 'leaseGone' } });
    await current().barrier();
    expect(current().count('')).toBe(0);
  });

  it('only keys that say who lives go with a lease', async () => {
    const lease = await current().lease(TTL_MS);
    await expect(current().txn({ puts: [{ key: 'a', value: 1, lease }] })).rejects.toMatchObject({
      code: 'InvalidParameterValue',
    });
    expect(current().get('a')).toBeUndefined();
  });

  it('what is being written while the lease is closed goes too', async () => {
    const lease = await current().lease(TTL_MS);
    const writes = Array.from({ length: 5 }, (_, n) =>
      current()
        .txn({ puts: [{ key: `alive/${n}`, value: 1, lease }] })
        .catch(() => undefined),
    );
    await Promise.all([lease.close(), ...writes]);
    await current().barrier();
    expect(current().count('alive/')).toBe(0);
  });
}
