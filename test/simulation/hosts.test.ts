import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { InstanceRecord } from '../../src/domain/instance.ts';
import type { SimHost } from '../../src/workers/drivers/simulated/sim-host.ts';
import { ManualClock } from '../support/manual-clock.ts';
import type { SimCloud } from '../support/sim-cloud.ts';
import { startSimCloud } from '../support/sim-cloud.ts';
import { expectWorldAsRecorded } from '../support/world.ts';

let clock: ManualClock;
let sim: SimCloud;
let host: SimHost;
let id: string;

/** Until the instance is in the state and nothing of it is under way; at most so much time of the cloud. */
async function until(state: InstanceRecord['state'], withinMs = 60_000): Promise<InstanceRecord> {
  for (let passedMs = 0; passedMs < withinMs; passedMs += 100) {
    const record = sim.record(id);
    if (record.state === state && record.work === undefined) return record;
    await clock.advance(100);
  }
  throw new Error(`not ${state} within ${withinMs} ms: ${JSON.stringify(sim.record(id))}`);
}

beforeEach(async () => {
  clock = new ManualClock();
  sim = await startSimCloud({ clock });
  host = sim.world.host('node1');
  const { instances } = await sim.run();
  id = instances[0]?.instanceId ?? '';
  await until('running');
});
afterEach(async () => {
  host.calls.clearFaults();
  const closing = sim.close();
  await clock.advance(10_000);
  await closing;
});

/** Somebody removes the domain while nobody can see it. */
async function undefinedUnseen(): Promise<void> {
  host.disconnect();
  await clock.advance(100);
  host.undefineByHand(id);
  host.reconnect();
  await clock.advance(100);
}

const explain = async (): Promise<string> => {
  const { because, next } = await sim.call('ExplainInstance', { InstanceId: id });
  return [...because, ...next].join('\n');
};

describe('what happens to a domain past the cloud', () => {
  it('[sim] a guest that powers itself off is stopped within 2 s, and says why', async () => {
    host.guestPowersOff(id);
    const record = await until('stopped', 2000);
    expect(record).toMatchObject({ desired: 'stopped', stateReason: { code: 'Client.InstanceInitiatedShutdown' } });
    expect(await explain()).toContain('the guest powered itself off');
    await sim.call('StartInstances', { InstanceIds: [id] });
    expect(await until('running')).not.toHaveProperty('stateReason');
  });

  it('[sim] one that is destroyed by hand is stopped, and says that it was not us', async () => {
    host.destroyByHand(id);
    expect((await until('stopped')).stateReason?.message).toBe(
      'the domain was destroyed on its host, not by this cloud',
    );
  });

  it('[sim] one that crashes is started again on its disk', async () => {
    host.crash(id);
    await clock.advance(100);
    expect((await until('running')).stateReason).toMatchObject({ code: 'Server.InstanceRestarted' });
    expect(host.domains.named(id)).toMatchObject({ power: 'running', starts: 2 });
  });

  it('[sim] one that is stopped, and then undefined by hand, is made again at its next start', async () => {
    await sim.call('StopInstances', { InstanceIds: [id] });
    await until('stopped');
    host.undefineByHand(id);
    await clock.advance(100);
    expect((await sim.call('ExplainInstance', { InstanceId: id })).observed?.power).toBe('absent');
    expect(sim.record(id).state).toBe('stopped');
    await sim.call('StartInstances', { InstanceIds: [id] });
    await until('running');
    expectWorldAsRecorded(sim);
  });

  it('[sim] one that is terminated is not listed as an orphan for a moment', async () => {
    await sim.call('TerminateInstances', { InstanceIds: [id] });
    for (let passedMs = 0; passedMs < 2000; passedMs += 10) {
      await clock.advance(10);
      const { hosts } = await sim.call('DescribeHosts', {});
      expect(hosts[0]?.orphans).toEqual([]);
    }
    expect(sim.record(id).state).toBe('terminated');
  });

  it('[sim] one that went without a word is made again', async () => {
    await undefinedUnseen();
    expect((await until('running')).stateReason?.message).toContain('no longer defined');
    expectWorldAsRecorded(sim);
  });

  it('[sim] one whose disk is gone too is not made anew over what was lost', async () => {
    host.disks.delete(id);
    await undefinedUnseen();
    const record = await until('stopped');
    expect(record.stateReason).toMatchObject({ code: 'Server.InternalError', step: 'disk' });
    expect(host.disks.size).toBe(0);
    await sim.call('TerminateInstances', { InstanceIds: [id] });
    await until('terminated');
  });

  it('[sim] a stopped one that is started by hand is stopped again', async () => {
    await sim.call('StopInstances', { InstanceIds: [id] });
    await until('stopped');
    host.startByHand(id);
    await clock.advance(100);
    expect((await until('stopped')).stateReason?.message).toContain('started on its host, not by this cloud');
    expect(host.domains.named(id)?.power).toBe('shutoff');
  });

  it('[sim] domains of others are listed, and never touched', async () => {
    host.addForeignDomain('debian');
    await clock.advance(31_000);
    const { hosts } = await sim.call('DescribeHosts', {});
    expect(hosts[0]?.orphans).toEqual(['debian']);
    expect((await sim.call('DescribeCloud', {})).problems).toContain(
      'host node1 has 1 domains that no record explains: debian',
    );
    await sim.call('TerminateInstances', { InstanceIds: [id] });
    await until('terminated');
    expect(host.domains.named('debian')).toMatchObject({ power: 'running', starts: 1 });
  });
});

describe('a host that does not answer', () => {
  it('[sim] keeps its instances as they were recorded, and says what is the matter', async () => {
    host.disconnect('libvirtd does not answer');
    await clock.advance(120_000);
    expect(sim.record(id).state).toBe('running');
    expect(await explain()).toContain("its host node1 can't be worked with: libvirtd does not answer");
    const { hosts } = await sim.call('DescribeHosts', {});
    expect(hosts[0]).toMatchObject({ state: 'down', problem: 'libvirtd does not answer' });
    host.reconnect();
    await clock.advance(100);
    expect((await sim.call('DescribeHosts', {})).hosts[0]).toMatchObject({ state: 'up' });
    expect(host.domains.named(id)?.starts).toBe(1);
  });

  it('[sim] lets work wait, and it is done when the host is back', async () => {
    host.disconnect();
    await clock.advance(100);
    await sim.call('TerminateInstances', { InstanceIds: [id] });
    await clock.advance(120_000);
    expect(sim.record(id)).toMatchObject({ state: 'shutting-down', work: { attempt: 1 } });
    host.reconnect();
    await until('terminated', 1000);
    expectWorldAsRecorded(sim);
  });

  it('[sim] that lost its power starts its instances again', async () => {
    host.powerOff();
    await clock.advance(10_000);
    expect(sim.record(id).state).toBe('running');
    host.powerOn();
    await clock.advance(100);
    expect((await until('running')).stateReason?.message).toContain('found off');
    expectWorldAsRecorded(sim);
  });

  it('[sim] whose guests lived on when its libvirtd was restarted hears of what happened between', async () => {
    host.disconnect();
    await clock.advance(100);
    host.guestPowersOff(id);
    await clock.advance(5000);
    host.reconnect();
    expect(await until('stopped', 2000)).toMatchObject({ stateReason: { code: 'Client.InstanceInitiatedShutdown' } });
  });
});

describe('work that fails', () => {
  it('[sim] is tried again with growing pauses, and then says at what it failed', async () => {
    host.calls.inject({ call: 'start', how: 'fail', message: 'no space left', times: 100 });
    const { instances, operationId } = await sim.run();
    id = instances[0]?.instanceId ?? '';
    await clock.advance(2000);
    expect(await explain()).toContain('the last attempt failed: no space left');
    const record = await until('terminated');
    expect(record.stateReason).toEqual({ code: 'Server.InternalError', message: 'no space left', step: 'start' });
    expect(record.stateChangedAtMs - record.createdAtMs).toBeGreaterThanOrEqual(1000 + 2000 + 4000 + 8000);
    const { operations } = await sim.call('DescribeOperations', { OperationIds: [operationId] });
    expect(operations[0]).toMatchObject({
      status: 'failed',
      error: { code: 'HypervisorError', message: 'no space left' },
    });
    expectWorldAsRecorded(sim);
  });

  it('[sim] is removed however often that fails', async () => {
    host.calls.inject({ call: 'undefine', how: 'fail', times: 20 });
    await sim.call('TerminateInstances', { InstanceIds: [id] });
    await until('terminated', 1_200_000);
    expectWorldAsRecorded(sim);
  });

  it('[sim] a reboot that can not bring the guest up again ends with a start, not with a stopped instance', async () => {
    host.calls.inject({ call: 'start', how: 'fail', times: 5 });
    const { operationId } = await sim.call('RebootInstances', { InstanceIds: [id] });
    await until('running', 120_000);
    expect(host.domains.named(id)?.power).toBe('running');
    const { operations } = await sim.call('DescribeOperations', { OperationIds: [operationId] });
    expect(operations[0]).toMatchObject({ status: 'failed' });
    expect(sim.record(id).stateReason?.code).toBe('Server.InternalError');
  });

  it('[sim] a connection that breaks in the middle never counts as a failure', async () => {
    host.calls.inject({ call: 'start', how: 'lose', times: 20 });
    const { instances } = await sim.run();
    id = instances[0]?.instanceId ?? '';
    await until('running', 1_200_000);
    expect(host.domains.named(id)?.starts).toBe(1);
  });
});
