import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEtcdStore, type EtcdStore } from '../../../src/adapters/store/etcd/etcd-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { toJson } from '../../../src/base/json.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { AssignRecord } from '../../../src/domain/records.ts';
import { EtcdModel } from '../../support/etcd-model.ts';
import { startSimCloud, type SimCloud } from '../../support/sim-cloud.ts';
import { until } from '../../support/until.ts';

/** What only looks. */
const LOOKS = new Set(['facts', 'inventory', 'lookup', 'networkInventory', 'listInstanceDirs', 'readClaim']);
const clock = new SystemClock();

let dir: string;
let model: EtcdModel;
let store: EtcdStore;
let sim: SimCloud;

const open = (name: string): Promise<EtcdStore> =>
  openEtcdStore({
    ...{ api: model.client(name), prefix: 'novactl/', dir: join(dir, name) },
    ...{ clock, random: new SystemRandom(), logger: silentLogger },
  });

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-held-'));
  model = new EtcdModel({ clock });
  store = await open('one');
  sim = await startSimCloud({ store, stateDir: join(dir, 'state') });
});

afterEach(async () => {
  await sim.close();
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});

async function runOne(): Promise<string> {
  const { instances } = await sim.run();
  const id = instances[0]?.instanceId ?? '';
  await sim.settled('running', [id]);
  return id;
}

describe('etcd restored from an old backup under a cloud that runs', () => {
  it('[sim] nothing is destroyed; what differs is told, and waits for its adoption', async () => {
    const kept = await runOne();
    const copy = model.copy();
    const lost = await runOne();
    await sim.call('StopInstances', { InstanceIds: [kept] });
    await sim.settled('stopped', [kept]);
    const done: string[] = [];
    sim.world.onCall = (at, call) => {
      if (at === 'before' && !LOOKS.has(call)) done.push(call);
    };
    model.restore(copy);
    await until(() => store.get(KEYS.held), { what: 'the cloud is held', timeoutMs: 30_000 });
    await expect(sim.call('TerminateInstances', { InstanceIds: [kept] })).rejects.toMatchObject({ code: 'StateHeld' });
    const found = await until(
      async () => {
        const all = await sim.call('DescribeStateDifferences', {});
        return all.counts.unseen === 0 ? all : undefined;
      },
      { what: 'the host is seen', timeoutMs: 20_000 },
    );
    expect(found.hosts[0]?.unknown).toMatchObject([{ name: lost, power: 'running' }]);
    expect(found.hosts[0]?.differs).toMatchObject([{ instanceId: kept, state: 'running', power: 'shutoff' }]);
    expect(done).toEqual([]);

    // Another process that was away the whole time comes while it is held, and after.
    await sim.call('AdoptState', {});
    await until(() => store.health().restored === undefined, { what: 'the history is accepted' });
    await until(() => sim.store.get(KEYS.held) === undefined, { what: 'nothing is held' });
    await sim.settled('stopped', [kept]);
    const { hosts } = await sim.call('DescribeHosts', {});
    expect(hosts[0]?.orphans).toEqual([lost]);
    expect(done.filter((call) => ['destroy', 'undefine', 'removeInstanceDir'].includes(call))).toEqual([]);
    expect(sim.store.count(PREFIX.instance)).toBe(1);
  }, 60_000);

  it('[sim] a controller that was away accepts what the others have adopted meanwhile', async () => {
    await runOne();
    const away = await open('two');
    await away.close();
    const copy = model.copy();
    await runOne();
    const later = await open('two');
    await later.close();
    model.restore(copy);
    await until(() => store.get(KEYS.held), { what: 'the cloud is held', timeoutMs: 30_000 });
    await sim.call('AdoptState', {});
    await until(() => store.health().restored === undefined, { what: 'the history is accepted' });
    await sim.cloud.close();
    const second = await open('two');
    try {
      expect(second.health().restored).toBeDefined();
      const late = await startSimCloud({ store: second, stateDir: join(dir, 'state'), world: sim.world, seed: 5 });
      await until(() => second.health().restored === undefined, { what: 'it accepts too' });
      expect(second.get(KEYS.held)).toBeUndefined();
      await late.close();
    } finally {
      await second.close();
    }
  }, 60_000);

  it('[sim] a second restore while it is held adopts nothing, nor does an earlier adoption that the backup holds', async () => {
    await runOne();
    const first = model.copy();
    await runOne();
    const held = (): number | undefined => store.get(KEYS.held)?.rev;
    const whenHeld = { what: 'the cloud is held', timeoutMs: 30_000 };
    model.restore(first);
    await until(held, whenHeld);
    for (let n = 0; n < 5; n += 1) await store.txn({ puts: [{ key: 'other', value: n }] });
    const before = store.health().restored;
    model.restore(first);
    await until(() => store.get('other') === undefined, { what: 'the second restore is seen' });
    await until(held, whenHeld);
    expect(store.health().restored).toMatchObject({ sinceMs: before?.sinceMs });
    const adopt = async (): Promise<void> => {
      await sim.call('AdoptState', {});
      await until(() => store.health().restored === undefined, { what: 'the history is accepted' });
    };
    await adopt();
    const adoptedOnce = model.copy();
    await runOne();
    model.restore(adoptedOnce);
    await until(held, whenHeld);
    await adopt();
    await runOne();
    model.restore(adoptedOnce);
    await until(held, whenHeld);
    expect(store.health().restored).toBeDefined();
    await adopt();
  }, 90_000);

  it('[sim] a worker that lived through it does what is decided anew, though it has heard of later intent and epochs', async () => {
    const id = await runOne();
    const copy = model.copy();
    const hostId = sim.store.range<{ id: string }>(PREFIX.host)[0]?.value.id ?? '';
    const key = KEYS.assign('compute', hostId);
    for (let times = 0; times < 2; times += 1) {
      await sim.call('StopInstances', { InstanceIds: [id] });
      await sim.settled('stopped', [id]);
      await sim.call('StartInstances', { InstanceIds: [id] });
      await sim.settled('running', [id]);
    }
    const { epoch = 0, ...rest } = store.get<AssignRecord>(key)?.value ?? {};
    await store.txn({ puts: [{ key, value: toJson({ ...rest, epoch: epoch + 5 }) }] });
    await sim.cloud.context.workers.open(hostId);
    model.restore(copy);
    await until(() => store.get(KEYS.held), { what: 'the cloud is held', timeoutMs: 30_000 });
    await sim.call('AdoptState', {});
    await until(() => sim.store.get(KEYS.held) === undefined, { what: 'nothing is held' });
    await until(() => (store.get<AssignRecord>(key)?.value.epoch ?? 0) > epoch + 5, {
      what: 'the host is opened anew',
    });
    await sim.call('StopInstances', { InstanceIds: [id] });
    await sim.settled('stopped', [id]);
    await sim.call('TerminateInstances', { InstanceIds: [id] });
    await sim.settled('terminated', [id]);
  }, 60_000);
});
