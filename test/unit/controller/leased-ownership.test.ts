import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import { CloudError } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { LeasedOwnership } from '../../../src/controller/hosts/leased-ownership.ts';
import { transact } from '../../../src/controller/state/draft.ts';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { OwnRecord } from '../../../src/domain/records.ts';
import type { Store } from '../../../src/ports/store.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { StoreView } from '../../support/shared-store.ts';

interface Member {
  readonly view: StoreView;
  readonly ownership: LeasedOwnership;
  readonly gained: string[];
}

let clock: ManualClock;
let shared: Store;
let members: Member[];
let sessions: number;

beforeEach(() => {
  clock = new ManualClock();
  shared = createMemoryStore({ clock, random: new SeededRandom(1) });
  [members, sessions] = [[], 0];
});
afterEach(async () => {
  for (const { ownership, view } of members) {
    if (view.paused) view.wake();
    const closed = ownership.close();
    await clock.advance(0);
    await closed;
  }
});

const HOSTS = Array.from({ length: 60 }, (_, index) => `h-${index}`);
const addHosts = (hostIds: readonly string[] = HOSTS): Promise<unknown> =>
  Promise.all(hostIds.map((id) => shared.txn({ puts: [{ key: KEYS.host(id), value: { id } }] })));
const setState = (serviceId: string, state: string): Promise<unknown> =>
  shared.txn({ puts: [{ key: KEYS.service(serviceId), value: { v: 1, serviceId, state, atMs: 0 } }] });

function member(controllerId: string): Member {
  const view = new StoreView(shared);
  const session = `s${(sessions += 1)}`;
  const ownership = new LeasedOwnership({ controllerId, session, store: view.store, clock, logger: silentLogger });
  const made: Member = { view, ownership, gained: [] };
  ownership.onGained((hostId) => made.gained.push(hostId));
  members.push(made);
  return made;
}

async function started(...names: string[]): Promise<Member[]> {
  const made = names.map(member);
  await Promise.all(made.map(({ ownership }) => ownership.start()));
  return made;
}

const owned = ({ ownership }: Member): string[] => HOSTS.filter((hostId) => ownership.owns(hostId));
const record = (hostId: string): OwnRecord | undefined => shared.get<OwnRecord>(KEYS.own(hostId))?.value;
/** Host -> those who say that it is theirs. */
const claimants = (): string[][] =>
  HOSTS.map((hostId) =>
    members.filter(({ ownership }) => ownership.owns(hostId)).map(({ ownership }) => ownership.controllerId),
  );
const expectEachOwnedOnce = (): void => {
  expect(claimants().filter((ids) => ids.length !== 1)).toEqual([]);
};
/** A change for the host, as a reconciler makes it. */
const write = ({ view, ownership }: Member, hostId: string): Promise<unknown> =>
  transact(view.store, (draft) => {
    ownership.guard(draft, hostId);
    draft.put(`test/${hostId}`, { by: ownership.controllerId });
  });

describe('a controller alone', () => {
  it('takes every host, also one that comes later, and says so', async () => {
    await addHosts();
    const [a] = (await started('a')) as [Member];
    await clock.advance(100);
    expect([owned(a).length, a.gained.length, a.ownership.count]).toEqual([60, 60, 60]);
    await addHosts(['h-new']);
    const claimed = a.ownership.claim('h-new');
    await clock.advance(100);
    await claimed;
    expect([a.ownership.owns('h-new'), a.gained.at(-1), a.ownership.ownerOf('h-new')]).toEqual([true, 'h-new', 'a']);
  });

  it('lets the record of a host that is no more go', async () => {
    await addHosts();
    const [a] = (await started('a')) as [Member];
    await clock.advance(100);
    await shared.txn({ dels: [KEYS.host('h-3')] });
    await clock.advance(100);
    expect([record('h-3'), a.ownership.owns('h-3'), shared.count(PREFIX.own)]).toEqual([undefined, false, 59]);
  });

  it('writes once a host, however many there are', async () => {
    await addHosts(Array.from({ length: 1250 }, (_, index) => `h-${index}`));
    const [a] = (await started('a')) as [Member];
    await clock.advance(3000);
    expect([a.ownership.count, a.view.txns]).toEqual([1250, 1251]);
    await addHosts(['h-new']);
    await clock.advance(3000);
    expect(a.view.txns).toBe(1252);
  });

  it('has its hosts again with another session after its lease was lost, and nothing decided before is written', async () => {
    await addHosts();
    const [a] = (await started('a')) as [Member];
    await clock.advance(100);
    const before = record('h-1');
    expect([before?.session, a.ownership.livesProcess('s1')]).toEqual(['s1', true]);
    await a.view.lapse();
    expect([a.ownership.owns('h-1'), a.ownership.count]).toEqual([false, 0]);
    await expect(write(a, 'h-1')).rejects.toMatchObject({ code: 'NotOwner' });
    await clock.advance(5000);
    expect(record('h-1')).toEqual({ v: 1, controllerId: 'a', session: 's1.2', epoch: (before?.epoch ?? 0) + 1 });
    expect([owned(a).length, a.gained.length, a.ownership.livesProcess('s1')]).toEqual([60, 120, true]);
    await write(a, 'h-1');
    expect(shared.get('test/h-1')?.value).toEqual({ by: 'a' });
  });

  it('takes a host that became free while its lease was not fresh, once it is', async () => {
    await addHosts();
    const [a] = (await started('a')) as [Member];
    await clock.advance(100);
    a.view.late = true;
    await addHosts(['h-new']);
    await clock.advance(5000);
    expect(record('h-new')).toBeUndefined();
    a.view.late = false;
    await clock.advance(5000);
    expect(a.ownership.owns('h-new')).toBe(true);
  });

  it('enters with one lease when the answer of the first attempt is lost', async () => {
    await addHosts();
    const a = member('a');
    a.view.answering = () => {
      a.view.answering = () => undefined;
      throw new CloudError('Unavailable', 'the answer was lost');
    };
    await a.ownership.start();
    await clock.advance(5000);
    expect([owned(a).length, a.view.leases]).toEqual([60, 1]);
  });

  it('enters again when its lease was over before it had begun', async () => {
    await addHosts();
    const a = member('a');
    a.view.answering = () => {
      a.view.answering = () => undefined;
      return a.view.lapse();
    };
    await a.ownership.start();
    await clock.advance(5000);
    expect([owned(a).length, a.view.leases]).toEqual([60, 1]);
  });

  it('leaves the name to a process that takes it too, until that is gone', async () => {
    await addHosts();
    const [a] = (await started('a')) as [Member];
    await clock.advance(100);
    const [other] = (await started('a')) as [Member];
    await clock.advance(5000);
    expect([owned(a).length, owned(other).length]).toEqual([0, 60]);
    await other.ownership.close();
    await clock.advance(5000);
    expect(owned(a)).toHaveLength(60);
  });
});

describe('several controllers', () => {
  it('share the hosts evenly, each has one owner, and all say the same of it', async () => {
    await addHosts();
    const [a, b, c] = (await started('a', 'b', 'c')) as [Member, Member, Member];
    await clock.advance(40_000);
    expectEachOwnedOnce();
    for (const one of [a, b, c]) expect(owned(one).length).toBeGreaterThan(8);
    for (const hostId of HOSTS) {
      expect(new Set(members.map(({ ownership }) => ownership.ownerOf(hostId))).size).toBe(1);
    }
    expect([a.ownership.controllers(), b.ownership.livesProcess('s3'), b.ownership.livesProcess('s9')]).toEqual([
      ['a', 'b', 'c'],
      true,
      false,
    ]);
  });

  it('one that is killed: the others have its hosts as soon as its lease is over, and their own stay', async () => {
    await addHosts();
    const [a, b, c] = (await started('a', 'b', 'c')) as [Member, Member, Member];
    await clock.advance(40_000);
    const [ofB, ofC] = [owned(b), owned(c)];
    a.view.pause();
    await a.view.lapse();
    await clock.advance(1000);
    expect(owned(b).length + owned(c).length).toBe(60);
    expect([owned(b), owned(c)]).toMatchObject([expect.arrayContaining(ofB), expect.arrayContaining(ofC)]);
  });

  it('one that slept for 20 s: what it wakes up to write is refused, and then it shares again', async () => {
    await addHosts();
    const [a, b] = (await started('a', 'b')) as [Member, Member];
    await clock.advance(40_000);
    const [mine = ''] = owned(a);
    a.view.pause();
    await a.view.lapse();
    await clock.advance(20_000);
    expect([b.ownership.count, a.ownership.owns(mine)]).toEqual([60, false]);
    // It has heard of nothing yet, and does not know how long it slept.
    await expect(write(a, mine)).rejects.toMatchObject({ code: 'NotOwner' });
    expect(shared.get(`test/${mine}`)).toBeUndefined();
    a.view.wake();
    await clock.advance(40_000);
    expectEachOwnedOnce();
    expect(record(mine)).toMatchObject({ controllerId: 'a', session: 's1.2' });
  });

  it('one that comes gets its share, a few at a time, and no host is without an owner for long', async () => {
    await addHosts();
    const [a] = (await started('a')) as [Member];
    await clock.advance(1000);
    const [b] = (await started('b')) as [Member];
    let most = 0;
    for (let second = 0, before = 0; second < 40; second += 1) {
      await clock.advance(1000);
      most = Math.max(most, owned(b).length - before);
      before = owned(b).length;
      expect(owned(a).length + owned(b).length).toBe(60);
    }
    expect([most, owned(b).length > 15, b.gained.length === owned(b).length]).toEqual([4, true, true]);
  });

  it('one that ends in order lets all its hosts go at once', async () => {
    await addHosts();
    const [a, b] = (await started('a', 'b')) as [Member, Member];
    await clock.advance(40_000);
    const closed = a.ownership.close();
    await clock.advance(100);
    await closed;
    expect([owned(b).length, shared.get(KEYS.alive('controller', 'a'))]).toEqual([60, undefined]);
  });

  it.each(['draining', 'disabled'])(
    'one that is %s gives its hosts away, and has them again when it may',
    async (state) => {
      await addHosts();
      const [a, b] = (await started('a', 'b')) as [Member, Member];
      await clock.advance(40_000);
      await setState('a', state);
      await clock.advance(5000);
      expect([owned(a).length, owned(b).length]).toEqual([0, 60]);
      await setState('a', 'enabled');
      await clock.advance(40_000);
      expect(owned(a).length).toBeGreaterThan(15);
      expectEachOwnedOnce();
    },
  );

  it('the last one that may have hosts keeps them', async () => {
    await addHosts();
    const [a] = (await started('a')) as [Member];
    await clock.advance(1000);
    await setState('a', 'draining');
    await clock.advance(10_000);
    expect(owned(a)).toHaveLength(60);
  });

  it('two that each think that they are alone take each host once', async () => {
    await addHosts();
    const [a, b] = [member('a'), member('b')];
    a.view.pause();
    b.view.pause();
    // Awake enough to act, deaf to each other.
    const deaf = [a, b].map(({ view }) => Object.defineProperty(view, 'paused', { get: () => false }));
    expect(deaf).toHaveLength(2);
    await Promise.all([a.ownership.start(), b.ownership.start()]);
    await clock.advance(40_000);
    expectEachOwnedOnce();
    expect(HOSTS.every((hostId) => record(hostId)?.epoch !== undefined)).toBe(true);
  });

  it('takes over from one that could not be heard of before, after a moment, whoever it belongs to', async () => {
    await addHosts();
    const [a, b] = (await started('a', 'b')) as [Member, Member];
    await clock.advance(40_000);
    const [ofA = ''] = owned(a);
    // Its owner lets it go and then sleeps, with a lease that does not lapse: it stays the one that the host belongs to.
    a.view.pause();
    await shared.txn({ dels: [KEYS.own(ofA)] });
    await clock.advance(2000);
    expect(b.ownership.owns(ofA)).toBe(false);
    await clock.advance(2000);
    expect(b.ownership.owns(ofA)).toBe(true);
    await clock.advance(30_000);
    expect(record(ofA)).toMatchObject({ controllerId: 'b', epoch: 1 });
    a.view.wake();
    await clock.advance(40_000);
    expect(record(ofA)).toMatchObject({ controllerId: 'a' });
  });
});
