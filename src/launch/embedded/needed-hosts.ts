import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { HostRecord } from '../../domain/records.ts';
import type { Replica } from '../../ports/store.ts';

/** Operations on records alone. */
const RECORDS_ONLY: ReadonlySet<string> = new Set([
  'AddHost',
  'AddProjectMember',
  'AddRole',
  'AdoptState',
  'CreateAccessKey',
  'CreateKeyPair',
  'CreateProject',
  'CreateUser',
  'DeleteAccessKey',
  'DeleteKeyPair',
  'DeleteProject',
  'DeleteUser',
  'DeregisterImage',
  'ImportKeyPair',
  'ModifyProject',
  'ModifyUser',
  'PauseMaintenance',
  'RegisterImage',
  'RemoveProjectMember',
  'RemoveRole',
  'ResumeMaintenance',
  'RotateAccessKey',
  'SetQuota',
  'UpdateAccessKey',
  'upload',
]);

/** Reads that are about what a host says now. Others are answered from the records. */
const LOOKS_AT_HOSTS: ReadonlySet<string> = new Set([
  'DescribeHosts',
  'DescribeImageCache',
  'DescribeStateDifferences',
  'ExplainInstance',
  'ExplainPlacement',
  'GetConsoleOutput',
  'OpenConsole',
  'PlanInstances',
  'PlanMaintenance',
  'WatchConsole',
]);

interface Named {
  readonly InstanceIds?: readonly string[];
  readonly InstanceId?: string;
  readonly Host?: string;
  readonly Hosts?: readonly string[];
  readonly Job?: string;
}

/** The hosts that the input names, itself or by its instances; undefined when it names none. */
function namedHosts(replica: Replica, input: Named): string[] | undefined {
  const instances = input.InstanceIds ?? (input.InstanceId === undefined ? undefined : [input.InstanceId]);
  const hosts = input.Hosts ?? (input.Host === undefined ? undefined : [input.Host]);
  if (instances === undefined && hosts === undefined) return undefined;
  const ofInstances = (instances ?? []).map(
    (id) => replica.get<InstanceRecord>(KEYS.instance(String(id)))?.value.hostId,
  );
  const byName = (hosts ?? []).map((name) => {
    return replica.get<{ hostId: string }>(KEYS.hostName(String(name)))?.value.hostId ?? String(name);
  });
  const known = [...ofInstances, ...byName].filter((id) => id !== undefined);
  return [...new Set(known)].filter((id) => replica.get(KEYS.host(id)) !== undefined);
}

export function allHosts(replica: Replica): string[] {
  return replica.range<HostRecord>(PREFIX.host).map(({ value }) => value.id);
}

/** Ids of the hosts that a change has to work with: where that can't be told from its input, all. What is wrong with the input is said later. */
export function hostsToServe(replica: Replica, operation: string, input: unknown): string[] {
  if (RECORDS_ONLY.has(operation) || (input as Named | undefined)?.Job === 'backup') return [];
  return namedHosts(replica, (input ?? {}) as Named) ?? allHosts(replica);
}

/** Ids of the hosts that have to be asked for the answer to a read. */
export function hostsToObserve(replica: Replica, operation: string, input: unknown): string[] {
  if (!LOOKS_AT_HOSTS.has(operation)) return [];
  const named = namedHosts(replica, (input ?? {}) as Named);
  // A list of all hosts shows what is recorded; who asks for one by name wants to know how it is.
  return named ?? (operation === 'DescribeHosts' ? [] : allHosts(replica));
}
