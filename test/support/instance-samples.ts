import type { InstanceRecord, InstanceState, InstanceVerb } from '../../src/domain/instance.ts';
import { newWork } from '../../src/domain/instance.ts';
import type { Outcome } from '../../src/messages/worker.ts';

export const INSTANCE_ID = 'i-0123456789abcdef0';
export const HOST_ID = 'h-0123456789abcdef0';
export const NOW_MS = 1_700_000_000_000;

const DESIRED = {
  pending: 'running',
  running: 'running',
  stopping: 'stopped',
  stopped: 'stopped',
  'shutting-down': 'terminated',
  terminated: 'terminated',
} as const satisfies Record<InstanceState, string>;

/** A record in a state, wanted as it is, with nothing under way. */
export function sampleRecord(state: InstanceState, patch: Partial<InstanceRecord> = {}): InstanceRecord {
  return {
    v: 1,
    id: INSTANCE_ID,
    reservationId: 'r-0123456789abcdef0',
    launchIndex: 0,
    projectId: 'admin',
    imageId: 'ami-0123456789abcdef0',
    typeName: 'm1.nano',
    vcpus: 1,
    memoryMib: 128,
    diskGib: 1,
    rootDiskBytes: 512,
    hostId: HOST_ID,
    zone: 'nova',
    nic: { networkId: 'net-0', address: '10.200.0.5', mac: '02:16:3e:00:00:01', tap: 'nvt0123456789a' },
    state,
    desired: DESIRED[state],
    generation: 1,
    createdAtMs: NOW_MS - 60_000,
    launchedAtMs: NOW_MS - 50_000,
    stateChangedAtMs: NOW_MS - 40_000,
    ...patch,
  };
}

export function sampleWork(verb: InstanceVerb, patch: Partial<NonNullable<InstanceRecord['work']>> = {}) {
  return { ...newWork(INSTANCE_ID, 1, verb, NOW_MS - 1000), ...patch };
}

/** How the record's work ended. */
export function sampleOutcome(record: InstanceRecord, patch: Partial<Outcome> = {}): Outcome {
  return {
    v: 1,
    commandId: record.work?.commandId ?? 'none',
    hostId: record.hostId,
    session: 's1',
    epoch: 1,
    seq: 1,
    instanceId: record.id,
    generation: record.generation,
    verb: record.work?.verb ?? 'run',
    ok: true,
    steps: [],
    ...patch,
  };
}
