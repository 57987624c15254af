import { CloudError } from '../../base/errors.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AssignRecord, CapacityRecord, HostRecord, HostTransport } from '../../domain/records.ts';
import { NO_CAPACITY } from '../../domain/records.ts';
import { workerOf } from '../hosts/ask-worker.ts';
import { findHost } from '../hosts/find-host.ts';
import { hostView } from '../hosts/host-view.ts';
import { fetchKey } from '../hosts/pin-transport.ts';
import type { Draft } from '../state/draft.ts';
import type { ChangeHandler } from './handler.ts';
import { badParameter } from './handler.ts';

function guarded(draft: Draft, host: string): HostRecord {
  const found = findHost(draft.replica, host, 'Host');
  const record = draft.get<HostRecord>(KEYS.host(found.id)) ?? found;
  if (record.lost === undefined) return record;
  throw new CloudError('IncorrectState', `Host: ${record.name} is being removed as lost (${record.lost.operationId})`, {
    details: { parameter: 'Host' },
  });
}

/** `maintenance`: no new instance is placed there; those that are there stay, and are looked after. */
export const setHostState: ChangeHandler<'SetHostState'> = {
  decide(draft, input, { cloud, operationId }) {
    const record = { ...guarded(draft, input.Host), state: input.State } satisfies HostRecord;
    draft.put(KEYS.host(record.id), record);
    // Written, so that whoever has just chosen this host chooses again.
    draft.put(KEYS.capacity(record.id), draft.get<CapacityRecord>(KEYS.capacity(record.id)) ?? NO_CAPACITY);
    return { output: { host: hostView(cloud, record), operationId }, targets: [record.id] };
  },
};

type Ssh = Extract<HostTransport, { kind: 'ssh' }>;

function sshOf(record: HostRecord): Ssh {
  if (record.transport.kind === 'ssh') return record.transport;
  throw badParameter('Host', `${record.name} is not reached over SSH, so it has no host key here`);
}

/** The machine must answer with the new key before it is pinned; then its worker connects anew. */
export const setHostKey: ChangeHandler<'SetHostKey', { readonly type: string; readonly base64: string }> = {
  async prepare({ cloud }, input) {
    const record = findHost(cloud.store, input.Host, 'Host');
    const { host, port, login, jump } = sshOf(record);
    const { type, base64 } = await fetchKey(cloud, workerOf(cloud, record.id), {
      ...{ host, port, fingerprint: input.Fingerprint },
      ...(jump === undefined ? {} : { jump: { server: jump, login } }),
    });
    return { type, base64 };
  },

  decide(draft, input, { cloud, operationId }, hostKey) {
    const before = guarded(draft, input.Host);
    const record: HostRecord = { ...before, transport: { ...sshOf(before), hostKey } };
    draft.put(KEYS.host(record.id), record);
    const assign = draft.get<AssignRecord>(KEYS.assign('compute', record.id));
    if (assign !== undefined) draft.put(KEYS.assign('compute', record.id), { ...assign, epoch: assign.epoch + 1 });
    return { output: { host: hostView(cloud, record), operationId }, targets: [record.id] };
  },

  async after({ cloud }, _input, plan) {
    await cloud.workers.open(plan.output.host.hostId);
  },

  replay({ cloud }, answer) {
    const record = cloud.store.get<HostRecord>(KEYS.host(answer.host.hostId))?.value;
    return record === undefined ? answer : { ...answer, host: hostView(cloud, record) };
  },
};
