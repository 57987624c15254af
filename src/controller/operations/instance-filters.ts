import { hostnameOf } from '../../domain/addressing.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { INSTANCE_STATE_CODE } from '../../domain/instance.ts';
import { interfaceId, partId } from '../../domain/vpc-ids.ts';
import type { Replica } from '../../ports/store.ts';
import type { ControllerContext } from '../controller-context.ts';
import { hostNameOf } from '../instances/instance-view.ts';
import { publicAddressOf } from '../networks/public-address-of.ts';
import { groupsOfInstance } from '../networks/security-groups.ts';
import { vpcIdOf } from '../networks/vpcs.ts';
import { volumesOfInstance } from '../volumes/volumes-of-instance.ts';
import type { FilterFields } from './filters.ts';

interface Cloud {
  readonly store: Pick<Replica, 'get'>;
  readonly policy: ControllerContext['policy'];
}

type Fields = FilterFields<InstanceRecord>;

const iso = (ms: number): string => new Date(ms).toISOString();
/** EC2 has the filter, and no instance here has anything that it could match. */
const nothing = (): undefined => undefined;
const always = (text: string) => () => text;

/** What filters may name, and the text that is compared. Names as EC2's. They read the record: a view of each that does not pass would cost more. */
export function instanceFilters(cloud: Cloud): Fields {
  return { ...ownFields(cloud), ...networkFields(cloud), ...volumeFields(cloud), ...FIXED };
}

const ownFields = ({ store }: Cloud): Fields => ({
  architecture: (record) => record.architecture ?? 'x86_64',
  'availability-zone': (record) => record.zone,
  'client-token': (record) => record.clientToken,
  host: (record) => hostNameOf(store, record),
  'image-id': (record) => record.imageId,
  'instance-id': (record) => record.id,
  'instance-state-code': (record) => String(INSTANCE_STATE_CODE[record.state]),
  'instance-state-name': (record) => record.state,
  'instance-type': (record) => record.typeName,
  'kernel-id': (record) => record.kernelId,
  'key-name': (record) => record.keyName,
  'launch-index': (record) => String(record.launchIndex),
  'launch-time': (record) => iso(record.createdAtMs),
  'owner-id': (record) => record.projectId,
  platform: (record) => record.platform,
  'ramdisk-id': (record) => record.ramdiskId,
  reason: (record) => record.stateReason?.message,
  'reservation-id': (record) => record.reservationId,
  'root-device-name': (record) => record.rootDeviceName ?? '/dev/vda',
  'state-reason-code': (record) => record.stateReason?.code,
  'state-reason-message': (record) => record.stateReason?.message,
  'virtualization-type': (record) => record.virtualizationType ?? 'hvm',
});

function networkFields(cloud: Cloud): Fields {
  const { store, policy } = cloud;
  const groups = (record: InstanceRecord) => groupsOfInstance(store, cloud, record);
  const ids = (record: InstanceRecord) => groups(record).map(({ groupId }) => groupId);
  const names = (record: InstanceRecord) => groups(record).map(({ groupName }) => groupName);
  const address = (record: InstanceRecord) => publicAddressOf(store, record.id)?.publicIp;
  const dnsName = (record: InstanceRecord) => `${hostnameOf(record.nic.address)}.${policy.domain}`;
  const subnetId = (record: InstanceRecord) => partId(record.nic.networkId, 'subnet');
  const vpcId = (record: InstanceRecord) =>
    vpcIdOf((key) => store.get<never>(key)?.value, record.projectId, record.nic.networkId);
  return {
    'dns-name': address,
    'instance.group-id': ids,
    'instance.group-name': names,
    'group-id': ids,
    'group-name': names,
    'ip-address': address,
    'network-interface.addresses.private-ip-address': (record) => record.nic.address,
    'network-interface.availability-zone': (record) => record.zone,
    'network-interface.group-id': ids,
    'network-interface.group-name': names,
    'network-interface.mac-address': (record) => record.nic.mac,
    'network-interface.network-interface-id': (record) => interfaceId(record.id),
    'network-interface.owner-id': (record) => record.projectId,
    'network-interface.private-dns-name': dnsName,
    'network-interface.subnet-id': subnetId,
    'network-interface.vpc-id': vpcId,
    'private-dns-name': dnsName,
    'private-ip-address': (record) => record.nic.address,
    'subnet-id': subnetId,
    'vpc-id': vpcId,
  };
}

function volumeFields({ store }: Cloud): Fields {
  const volumes = (record: InstanceRecord) => volumesOfInstance(store, record.id);
  return {
    'block-device-mapping.attach-time': (record) => volumes(record).map(({ askedAtMs }) => iso(askedAtMs)),
    'block-device-mapping.delete-on-termination': (record) =>
      volumes(record).map(({ deleteOnTermination }) => String(deleteOnTermination)),
    'block-device-mapping.device-name': (record) => volumes(record).map(({ device }) => device),
    'block-device-mapping.status': (record) => volumes(record).map(({ state }) => state),
    'block-device-mapping.volume-id': (record) => volumes(record).map(({ volumeId }) => volumeId),
  };
}

const FIXED: Fields = {
  affinity: nothing,
  'capacity-reservation-id': nothing,
  'ebs-optimized': always('false'),
  'ena-support': always('false'),
  'enclave-options.enabled': always('false'),
  'hibernation-options.configured': always('false'),
  'host-id': nothing,
  'iam-instance-profile.arn': nothing,
  'iam-instance-profile.id': nothing,
  'instance-lifecycle': nothing,
  'ipv6-address': nothing,
  'monitoring-state': always('disabled'),
  'network-interface.attachment.device-index': always('0'),
  'network-interface.attachment.status': always('attached'),
  'network-interface.source-dest-check': always('true'),
  'network-interface.status': always('in-use'),
  'outpost-arn': nothing,
  'placement-group-name': nothing,
  'placement-partition-number': nothing,
  'product-code': nothing,
  'product-code.type': nothing,
  'requester-id': nothing,
  'root-device-type': always('instance-store'),
  'source-dest-check': always('true'),
  'spot-instance-request-id': nothing,
  tenancy: always('default'),
};
