import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import type { Random } from '../../base/random.ts';
import { tapName } from '../../domain/addressing.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { newWork } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import type {
  ClaimRecord,
  HostRecord,
  InstanceTemplate,
  NetworkRecord,
  ReservationRecord,
  UserDataRecord,
} from '../../domain/records.ts';
import { claimAddress, claimMac } from '../networks/project-network.ts';
import { networkOf } from '../networks/vpcs.ts';
import type { Draft } from '../state/draft.ts';
import { newTags } from '../tags/resource-tags.ts';
import { draftLaunchVolumes } from '../volumes/launch-volumes.ts';
import { claimThisAddress } from './claim-this-address.ts';

/**
 * So many instances are written in one transaction: each takes six of its 100 writes, the hosts of the call up to 28 (HOSTS_PER_CALL), the
 * project's first network four, usage two, operation, token, reservation, image and the use of
 * groups one each.
 */
const INSTANCES_PER_TXN = 10;
/** The writes of so many instances, and those of a volume: record, tags, its snapshot. One more names those of an instance. */
const WRITES_PER_TXN = 6 * INSTANCES_PER_TXN;
const WRITES_PER_VOLUME = 3;

/** How many instances of the template one transaction writes. */
export function instancesPerTxn({ volumes = [] }: Pick<InstanceTemplate, 'volumes'>): number {
  if (volumes.length === 0) return INSTANCES_PER_TXN;
  return Math.max(1, Math.floor(WRITES_PER_TXN / (7 + WRITES_PER_VOLUME * volumes.length)));
}

export interface Placement {
  readonly instanceId: string;
  readonly launchIndex: number;
  readonly hostId: string;
  /** Of the template's volumes. */
  readonly volumeIds?: readonly string[];
}

/** An id whose tap name (11 of its 17 digits) is free too. */
export function freshInstanceId(draft: Draft, random: Random): string {
  for (;;) {
    const id = newId('instance', random);
    if (draft.peek(KEYS.interfaceName(tapName(id))) === undefined) return id;
  }
}

/**
 * Writes one instance's whole intent into the draft: record, address, MAC, interface name, user data. Its host's capacity was claimed by the
 * scheduler.
 */
export function draftInstance(
  draft: Draft,
  network: NetworkRecord,
  template: InstanceTemplate,
  placement: Placement,
  source: { random: Random; nowMs: number },
): InstanceRecord {
  const { instanceId } = placement;
  const { userData, tags, networkId: _networkId, privateIpAddress, volumes: _volumes, ...rest } = template;
  const { volumeTags: _volumeTags, ...common } = rest;
  const tap = tapName(instanceId);
  if (draft.get(KEYS.interfaceName(tap)) !== undefined || draft.get(KEYS.instance(instanceId)) !== undefined) {
    throw new CloudError('AlreadyExists', `the instance id ${instanceId} is taken; try again`);
  }
  draft.put(KEYS.interfaceName(tap), { v: 1, owner: instanceId } satisfies ClaimRecord);
  const record: InstanceRecord = {
    v: 1,
    ...common,
    id: instanceId,
    launchIndex: placement.launchIndex,
    hostId: placement.hostId,
    zone: draft.peek<HostRecord>(KEYS.host(placement.hostId))?.zone ?? 'nova',
    ...(userData === undefined ? {} : { hasUserData: true }),
    nic: {
      networkId: network.id,
      address:
        privateIpAddress === undefined
          ? claimAddress(draft, network, instanceId, source)
          : claimThisAddress(draft, network, instanceId, privateIpAddress, source.nowMs),
      mac: claimMac(draft, instanceId, source.random),
      tap,
    },
    state: 'pending',
    desired: 'running',
    generation: 1,
    work: newWork(instanceId, 1, 'run', source.nowMs),
    createdAtMs: source.nowMs,
    stateChangedAtMs: source.nowMs,
  };
  draft.put(KEYS.instance(instanceId), record);
  newTags(draft, { projectId: record.projectId, resourceId: instanceId, kind: 'instance' }, tags);
  draftLaunchVolumes(draft, template, record, { volumeIds: placement.volumeIds, nowMs: source.nowMs });
  if (userData !== undefined) draft.put(KEYS.userData(instanceId), { v: 1, data: userData } satisfies UserDataRecord);
  return record;
}

/**
 * Makes the next instances of a reservation that did not fit its first transaction; true while some remain. A reservation whose maker died is
 * finished by the next controller, from its record.
 */
export function draftRemaining(
  draft: Draft,
  reservationId: string,
  source: { random: Random; nowMs: number },
): boolean {
  const key = KEYS.reservation(reservationId);
  const reservation = draft.get<ReservationRecord>(key);
  if (reservation?.remaining === undefined) return false;
  const { template, placements } = reservation.remaining;
  const { projectId } = reservation;
  const get = <T>(at: string): T | undefined => draft.get<T>(at);
  const network =
    template.networkId === undefined
      ? get<NetworkRecord>(KEYS.network(projectId))
      : networkOf(get, projectId, template.networkId);
  if (network === undefined) return false;
  const count = instancesPerTxn(template);
  for (const placement of placements.slice(0, count)) draftInstance(draft, network, template, placement, source);
  const left = placements.slice(count);
  const { remaining: _, ...done } = reservation;
  draft.put(key, left.length === 0 ? done : { ...done, remaining: { template, placements: left } });
  return left.length > 0;
}
