import type { z } from 'zod';
import { privateDnsName } from '../../domain/addressing.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import type { HostRecord } from '../../domain/records.ts';
import type { InstanceView as Schema } from '../../messages/operations/instances.ts';
import type { Replica } from '../../ports/store.ts';

export type InstanceView = z.output<typeof Schema>;

/** The record as a user sees it. */
export function instanceView(
  replica: Pick<Replica, 'get'>,
  record: InstanceRecord,
  rev: number,
  domain: string,
): InstanceView {
  const { stateReason: reason } = record;
  return {
    instanceId: record.id,
    reservationId: record.reservationId,
    launchIndex: record.launchIndex,
    projectId: record.projectId,
    ...(record.name === undefined ? {} : { name: record.name }),
    state: record.state,
    ...(reason === undefined ? {} : { stateReason: reason }),
    imageId: record.imageId,
    ...(record.kernelId === undefined ? {} : { kernelId: record.kernelId }),
    ...(record.ramdiskId === undefined ? {} : { ramdiskId: record.ramdiskId }),
    instanceType: record.typeName,
    vcpus: record.vcpus,
    memoryMib: record.memoryMib,
    diskGib: record.diskGib,
    ...(record.keyName === undefined ? {} : { keyName: record.keyName }),
    hostId: record.hostId,
    hostName: hostNameOf(replica, record),
    availabilityZone: record.zone,
    privateIpAddress: record.nic.address,
    macAddress: record.nic.mac,
    privateDnsName: privateDnsName(record.nic.address, domain),
    networkId: record.nic.networkId,
    launchTimeMs: record.createdAtMs,
    stateChangedAtMs: record.stateChangedAtMs,
    ...(record.operationId === undefined ? {} : { operationId: record.operationId }),
    rev,
  };
}

export function hostNameOf(replica: Pick<Replica, 'get'>, { hostId }: InstanceRecord): string {
  return replica.get<HostRecord>(KEYS.host(hostId))?.value.name ?? hostId;
}
