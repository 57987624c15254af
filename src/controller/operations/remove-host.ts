import { CloudError, errorText } from '../../base/errors.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { CapacityRecord, HostRecord } from '../../domain/records.ts';
import { NO_CAPACITY } from '../../domain/records.ts';
import type { ControllerContext } from '../controller-context.ts';
import { workerOf } from '../hosts/ask-worker.ts';
import { findHost } from '../hosts/find-host.ts';
import { forgetHost } from '../hosts/forget-host.ts';
import { hostProblem } from '../hosts/host-problem.ts';
import { fetchKey } from '../hosts/pin-transport.ts';
import { waitForReports } from '../hosts/wait-for-report.ts';
import type { Draft } from '../state/draft.ts';
import type { ChangeHandler } from './handler.ts';
import { badParameter } from './handler.ts';

/** Before its first report nobody knows whether a host is down. */
const FIRST_REPORT_MS = 5000;

/** Why a host is not lost, as a sentence; undefined: nothing of it answers. */
type SignOfLife = string | undefined;

/**
 * Without Lost: only an empty host goes. With it the record is marked, and the instance loop ends what is on it; the host's record goes with the last of
 * them. Nothing is done on the host: it must never come back with those guests.
 */
export const removeHost: ChangeHandler<'RemoveHost', SignOfLife> = {
  async prepare({ cloud }, input) {
    if (input.Lost !== true) return undefined;
    return signOfLife(cloud, findHost(cloud.store, input.Host, 'Host'));
  },

  decide(draft, input, { operationId, nowMs }, alive) {
    const { id } = findHost(draft.replica, input.Host, 'Host');
    const record = draft.get<HostRecord>(KEYS.host(id)) ?? findHost(draft.replica, input.Host, 'Host');
    const used = draft.get<CapacityRecord>(KEYS.capacity(id)) ?? NO_CAPACITY;
    if (input.Lost === true) refuseLost(record, input.Confirm, alive);
    else if (used.instances > 0) throw inUse(record, used.instances);
    if (used.instances === 0) {
      forgetHost(draft, record);
      return { output: { hostId: id, instances: [], operationId }, targets: [id] };
    }
    const instances = instancesOn(draft, id);
    draft.put(KEYS.host(id), {
      ...record,
      state: 'maintenance',
      lost: { operationId, atMs: nowMs },
    } satisfies HostRecord);
    // Written, so that whoever has just chosen this host chooses again.
    draft.put(KEYS.capacity(id), used);
    draft.del(KEYS.assign('compute', id));
    return { output: { hostId: id, instances, operationId }, targets: [id, ...instances] };
  },

  async after({ cloud }, input, plan) {
    const { hostId } = plan.output;
    cloud.observations.forgetHost(hostId);
    const closed = cloud.workers.close(hostId);
    if (input.Lost !== true) return closed;
    // A dead host is not waited for: it has nothing to say any more.
    closed.catch((error: unknown) => cloud.logger.debug('a lost host', { hostId, error: errorText(error) }));
  },
};

function instancesOn(draft: Draft, hostId: string): string[] {
  const all = draft.replica.range<InstanceRecord>(PREFIX.instance).map((entry) => entry.value);
  return all.filter((record) => record.hostId === hostId && record.state !== 'terminated').map((record) => record.id);
}

function inUse(record: HostRecord, instances: number): CloudError {
  return new CloudError(
    'InvalidHost.InUse',
    `Host: ${record.name} has ${instances} instances; terminate them first (a host that is gone for good: novactl host remove --lost ${record.name} --confirm=${record.name})`,
    { details: { parameter: 'Host', instances } },
  );
}

function refuseLost(record: HostRecord, confirm: string | undefined, alive: SignOfLife): void {
  if (confirm !== record.name)
    throw badParameter('Confirm', `must be the name of the host that is lost, ${record.name}`);
  if (alive === undefined) return;
  throw new CloudError(
    'IncorrectState',
    `Host: ${record.name} is not lost: ${alive}. Terminate its instances and remove it, or switch it off for good first: two copies of a guest must never run`,
    { details: { parameter: 'Host', host: record.name } },
  );
}

async function signOfLife(cloud: ControllerContext, record: HostRecord): Promise<SignOfLife> {
  await waitForReports(cloud, [record.id], FIRST_REPORT_MS);
  if (hostProblem(cloud, record, record.id) === undefined) {
    return `it answers, as far as is known yet ("novactl host show ${record.name}" says when it is down)`;
  }
  if (record.transport.kind !== 'ssh') return undefined;
  const { host, port, hostKey, login, jump } = record.transport;
  // Its hypervisor may be dead while its guests run on.
  const seen = await fetchKey(cloud, workerOf(cloud, record.id), {
    ...{ host, port },
    ...(jump === undefined ? {} : { jump: { server: jump, login } }),
  }).catch(() => undefined);
  return seen?.base64 === hostKey.base64 ? 'its SSH server answers with its own key' : undefined;
}
