import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QUARANTINE_MS } from '../../../src/controller/controller-context.ts';
import { expireRecords, TOKEN_KEEP_MS } from '../../../src/controller/maintenance/expire.ts';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import type { SimCloud } from '../../support/sim-cloud.ts';
import { startSimCloud } from '../../support/sim-cloud.ts';

const DAY_MS = 86_400_000;

let clock: ManualClock;
let sim: SimCloud;
beforeEach(async () => {
  clock = new ManualClock();
  sim = await startSimCloud({
    clock,
    host: { cpus: 64, memoryMib: 262_144 },
    config: { operations: { keepMs: 2 * DAY_MS } },
  });
});
afterEach(() => sim.close());

const counts = (): Record<string, number> => ({
  operations: sim.store.count(PREFIX.operation),
  tokens: sim.store.count(PREFIX.token),
  addresses: sim.store.count(PREFIX.address),
  reservations: sim.store.count(PREFIX.reservation),
});
/** Time passes without anybody looking. */
const later = (ms: number) => ({ ...sim.cloud.context, clock: new ManualClock(clock.nowMs() + ms) });

describe('records that have had their time', () => {
  it('[sim] stay as long as they are needed', async () => {
    const { instances } = await sim.run({ ClientToken: 'a', MinCount: 3, MaxCount: 3 });
    await clock.advance(1000);
    const ids = instances.map((row) => row.instanceId);
    const before = counts();
    expect(before).toEqual({ operations: 3, tokens: 3, addresses: 3, reservations: 1 });
    expect(await expireRecords(sim.cloud.context)).toBe(0);
    await sim.call('TerminateInstances', { InstanceIds: ids });
    await clock.advance(1000);
    expect(sim.records().every((record) => record.state === 'terminated')).toBe(true);
    expect(await expireRecords(later(QUARANTINE_MS - 2000))).toBe(0);
    expect(await expireRecords(later(QUARANTINE_MS))).toBe(3);
    expect(counts()).toEqual({ operations: 4, tokens: 4, addresses: 0, reservations: 1 });
    expect(await expireRecords(later(TOKEN_KEEP_MS))).toBe(4);
    expect(await expireRecords(later(2 * DAY_MS))).toBe(4);
    expect(counts()).toEqual({ operations: 0, tokens: 0, addresses: 0, reservations: 1 });
  });

  it('[sim] of an operation that still runs stay, however old', async () => {
    sim.world.host('node1').calls.inject({ call: 'start', how: 'fail', code: 'Unavailable', times: 1e6 });
    await sim.run();
    await expireRecords(later(100 * DAY_MS));
    expect(counts()).toMatchObject({ operations: 1, reservations: 1, addresses: 1 });
    sim.world.host('node1').calls.clearFaults();
  });

  it('[sim] of certificates go when these are over, revoked or not', async () => {
    const nowMs = clock.nowMs();
    const row = (serial: string) => ({
      v: 1,
      serial,
      userId: 'admin',
      projectId: 'admin',
      expiresAtMs: nowMs + DAY_MS,
    });
    await sim.store.txn({
      puts: [
        { key: KEYS.userCertificate('AA'), value: row('AA') },
        { key: KEYS.userCertificate('BB'), value: { ...row('BB'), revokedAtMs: nowMs } },
      ],
    });
    await expireRecords(later(DAY_MS - 1));
    expect(sim.store.count(PREFIX.userCertificate)).toBe(2);
    await expireRecords(later(DAY_MS));
    expect(sim.store.count(PREFIX.userCertificate)).toBe(0);
  });

  it('[sim] go by themselves, and a reservation with its last instance', async () => {
    const { instances } = await sim.run({ ClientToken: 'a' });
    await clock.advance(1000);
    await sim.call('TerminateInstances', { InstanceIds: instances.map((row) => row.instanceId) });
    await clock.advance(2 * 3_600_000);
    expect(sim.records()).toEqual([]);
    expect(counts()).toEqual({ operations: 4, tokens: 4, addresses: 0, reservations: 0 });
  });

  it('[sim] by the hundred go in as many transactions as it takes', async () => {
    for (let n = 0; n < 7; n += 1) await sim.run({ MinCount: 100, MaxCount: 100 });
    await clock.advance(1000);
    const ids = sim.records().map((record) => record.id);
    for (let at = 0; at < ids.length; at += 40) {
      await sim.call('TerminateInstances', { InstanceIds: ids.slice(at, at + 40) });
    }
    await clock.advance(5000);
    expect(counts()['addresses']).toBe(700);
    expect(await expireRecords(later(QUARANTINE_MS))).toBe(700);
  });
});
