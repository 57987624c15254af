import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import type { InstanceRecord } from '../../../src/domain/instance.ts';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { AdoptedRecord, HeldRecord } from '../../../src/domain/records.ts';
import { restoredStore, type Restored } from '../../support/restored-store.ts';
import { startSimCloud, type SimCloud } from '../../support/sim-cloud.ts';
import { until } from '../../support/until.ts';

/** What only looks. */
const LOOKS = new Set([
  'facts',
  'inventory',
  'lookup',
  'networkInventory',
  'listInstanceDirs',
  'probe',
  'readConsole',
  'readClaim',
]);

let old: SimCloud;
let sim: SimCloud;
let restored: Restored;
let kept: string;
let lost: string;
let ended: string;
/** What was done to hosts since the restore. */
let done: string[] = [];

beforeEach(async () => {
  const parts = { clock: new SystemClock(), random: new SystemRandom() };
  old = await startSimCloud({ store: createMemoryStore(parts) });
  kept = (await old.run()).instances[0]?.instanceId ?? '';
  ended = (await old.run()).instances[0]?.instanceId ?? '';
  await old.settled('running');
  const backup = old.store.range('');
  const knownRev = old.store.rev + 10;
  lost = (await old.run()).instances[0]?.instanceId ?? '';
  await old.settled('running');
  await old.call('TerminateInstances', { InstanceIds: [ended] });
  await old.settled('terminated', [ended]);
  await old.cloud.close();

  restored = await restoredStore(backup, knownRev);
  done = [];
  old.world.onCall = (at, call) => {
    if (at === 'before' && !LOOKS.has(call)) done.push(call);
  };
  sim = await startSimCloud({ store: restored.store, world: old.world, seed: 2, stateDir: old.stateDir });
});

afterEach(async () => {
  await sim.close();
  old.dispose();
});

describe('a restored store', () => {
  it('[sim] is held: nothing is changed, and each answer says so', async () => {
    expect(sim.store.get<HeldRecord>(KEYS.held)?.value).toMatchObject({ reason: 'a test', v: 1 });
    const records = JSON.stringify(sim.store.range(PREFIX.instance));
    await expect(sim.run()).rejects.toMatchObject({ code: 'StateHeld', status: 503 });
    await expect(sim.call('TerminateInstances', { InstanceIds: [kept] })).rejects.toMatchObject({
      code: 'StateHeld',
      message: expect.stringMatching(/older copy \(a test; noticed .*novactl state adopt/) as string,
    });
    const cloud = await sim.call('DescribeCloud', {});
    expect(cloud.held).toMatch(/restored from an older copy/);
    expect(cloud.problems[0]).toBe(cloud.held);
    expect((await sim.call('DescribeInstances', {})).rev).toBeGreaterThan(0);
    sim.cloud.controller.instances.sweep();
    await until(
      () => sim.cloud.context.observations.host(sim.store.range<{ id: string }>(PREFIX.host)[0]?.value.id ?? ''),
      {
        what: 'the host is looked at',
      },
    );
    expect(done).toEqual([]);
    expect(JSON.stringify(sim.store.range(PREFIX.instance))).toBe(records);
  });

  it('[sim] is compared with the hosts', async () => {
    const found = await until(
      async () => {
        const all = await sim.call('DescribeStateDifferences', {});
        return all.counts.unseen === 0 ? all : undefined;
      },
      { what: 'the host has reported' },
    );
    expect(found.held).toMatchObject({ reason: 'a test' });
    const [host] = found.hosts;
    expect(host?.missing).toEqual([{ instanceId: ended, state: 'running' }]);
    expect(host?.unknown).toMatchObject([{ name: lost, power: 'running' }]);
    expect(host?.unknown[0]?.uuid).toMatch(/^[0-9a-f-]{36}$/);
    expect(found.counts).toMatchObject({ hosts: 1, missing: 1, unknown: 1, differs: 0, work: 0 });
    expect(done).toEqual([]);
  });

  it('[sim] is adopted: instances go on, unknown domains stay', async () => {
    const { operationId, held } = await sim.call('AdoptState', {}, { reason: 'it was me' });
    expect(held.reason).toBe('a test');
    await until(() => restored.accepted, { what: 'the history was accepted' });
    expect(sim.store.get(KEYS.held)).toBeUndefined();
    expect(sim.store.get<AdoptedRecord>(KEYS.adopted)?.value).toMatchObject({
      reason: 'a test',
      knownRev: held.knownRev,
    });
    const { operations } = await sim.call('DescribeOperations', { OperationIds: [operationId] });
    expect(operations[0]).toMatchObject({ name: 'AdoptState', status: 'succeeded', reason: 'it was me' });
    await until(async () => (await sim.run().catch(() => undefined)) !== undefined, {
      what: 'changes are taken again',
    });
    await sim.call('StopInstances', { InstanceIds: [kept] });
    await sim.settled('stopped', [kept]);
    const { hosts } = await sim.call('DescribeHosts', {});
    expect(hosts[0]?.orphans).toEqual([lost]);
    const domain = sim.world
      .host('node1')
      .domains.all()
      .find(({ spec }) => spec.name === lost);
    expect(domain).toBeDefined();
    await expect(sim.call('AdoptState', {})).rejects.toMatchObject({ code: 'IncorrectState' });
    const records = sim.store.range<InstanceRecord>(PREFIX.instance);
    expect(records.some(({ value }) => value.id === lost)).toBe(false);
  });
});

describe('a process that was away', () => {
  it('[sim] accepts a store that somebody else has adopted meanwhile', async () => {
    await sim.call('AdoptState', {});
    await until(() => restored.accepted, { what: 'the history was accepted' });
    await sim.cloud.close();
    // It comes with a replica of before the restore, which knew of no adoption.
    restored.notice();
    const late = await startSimCloud({ store: restored.store, world: old.world, seed: 3, stateDir: old.stateDir });
    try {
      await until(() => restored.accepted, { what: 'the history was accepted' });
      expect(late.store.get(KEYS.held)).toBeUndefined();
    } finally {
      await late.close();
    }
  });
});
