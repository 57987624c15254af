import type { z } from 'zod';
import { privateDnsName } from '../../domain/addressing.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import type { HostRecord } from '../../domain/records.ts';
import { partId } from '../../domain/vpc-ids.ts';
import type { InstanceView as Schema } from '../../messages/operations/instances.ts';
import type { Replica } from '../../ports/store.ts';
import type { ControllerContext } from '../controller-context.ts';
import { publicAddressOf } from '../networks/public-address-of.ts';
import { groupsOfInstance, hasGroups } from '../networks/security-groups.ts';
import { vpcIdOf } from '../networks/vpcs.ts';
import { type Tags, tagsOf } from '../tags/resource-tags.ts';
import { volumesOfInstance } from '../volumes/volumes-of-instance.ts';

export type InstanceView = z.output<typeof Schema>;

interface Cloud {
  readonly store: Pick<Replica, 'get'>;
  readonly policy: ControllerContext['policy'];
}

/** The record as a user sees it. */
export function instanceView(cloud: Cloud, record: InstanceRecord, rev: number): InstanceView {
  const { store, policy } = cloud;
  const { stateReason: reason, nic } = record;
  const tags = instanceTags(store, record);
  const name = tags['Name'];
  return {
    instanceId: record.id,
    reservationId: record.reservationId,
    launchIndex: record.launchIndex,
    projectId: record.projectId,
    ...(name === undefined ? {} : { name }),
    state: record.state,
    ...(reason === undefined ? {} : { stateReason: reason }),
    imageId: record.imageId,
    ...told(record),
    instanceType: record.typeName,
    vcpus: record.vcpus,
    memoryMib: record.memoryMib,
    diskGib: record.diskGib,
    ...(record.keyName === undefined ? {} : { keyName: record.keyName }),
    hostId: record.hostId,
    hostName: hostNameOf(store, record),
    availabilityZone: record.zone,
    privateIpAddress: nic.address,
    macAddress: nic.mac,
    privateDnsName: privateDnsName(nic.address, policy.domain),
    networkId: nic.networkId,
    subnetId: partId(nic.networkId, 'subnet'),
    vpcId: vpcIdOf((key) => store.get<never>(key)?.value, record.projectId, nic.networkId),
    ...(hasGroups(cloud) ? { securityGroups: groupsOfInstance(store, cloud, record) } : {}),
    ...attached(store, record),
    ...(Object.keys(tags).length === 0 ? {} : { tags }),
    launchTimeMs: record.createdAtMs,
    stateChangedAtMs: record.stateChangedAtMs,
    ...(record.operationId === undefined ? {} : { operationId: record.operationId }),
    rev,
  };
}

const TOLD = [
  'kernelId',
  'ramdiskId',
  'architecture',
  'platform',
  'rootDeviceName',
  'virtualizationType',
  'clientToken',
  'disableApiTermination',
  'disableApiStop',
  'shutdownBehavior',
] as const satisfies readonly (keyof InstanceRecord & keyof InstanceView)[];

/** What is told as it is recorded, where it is. */
function told(record: InstanceRecord): Pick<InstanceView, (typeof TOLD)[number]> {
  return Object.fromEntries(TOLD.flatMap((field) => (record[field] === undefined ? [] : [[field, record[field]]])));
}

function attached(
  store: Pick<Replica, 'get'>,
  { id }: InstanceRecord,
): Pick<InstanceView, 'publicIpAddress' | 'blockDevices'> {
  const publicIp = publicAddressOf(store, id)?.publicIp;
  const volumes = volumesOfInstance(store, id);
  return {
    ...(publicIp === undefined ? {} : { publicIpAddress: publicIp }),
    ...(volumes.length === 0
      ? {}
      : {
          blockDevices: volumes.map(({ device, volumeId, state, askedAtMs, deleteOnTermination }) => ({
            deviceName: device,
            volumeId,
            status: state,
            attachTimeMs: askedAtMs,
            deleteOnTermination,
          })),
        }),
  };
}

/** Its name is its tag `Name`; in records of before there were tags it is a field. */
export function instanceTags(store: Pick<Replica, 'get'>, record: InstanceRecord): Tags {
  const tags = tagsOf(store, record.id);
  return record.name === undefined || 'Name' in tags ? tags : { Name: record.name, ...tags };
}

export function hostNameOf(replica: Pick<Replica, 'get'>, { hostId }: InstanceRecord): string {
  return replica.get<HostRecord>(KEYS.host(hostId))?.value.name ?? hostId;
}
