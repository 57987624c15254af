import { isoTime } from '../../../base/clock.ts';
import { INSTANCE_STATE_CODE, type InstanceState } from '../../../domain/instance.ts';
import { interfaceId } from '../../../domain/vpc-ids.ts';
import { tieId } from '../../../domain/vpcs.ts';
import type { OperationOutput } from '../../../messages/operations/index.ts';
import { tagSet } from './common-params.ts';
import type { Ec2Call } from './ec2-action.ts';
import type { XmlTree } from './xml-tree.ts';

export type InstanceView = OperationOutput<'DescribeInstances'>['instances'][number];
type Tree = Readonly<Record<string, XmlTree>>;
type Accounts = Pick<Ec2Call, 'accountOf'>;

export const DEFAULT_ROOT_DEVICE = '/dev/vda';

export const stateTree = (state: InstanceState): Tree => ({ code: INSTANCE_STATE_CODE[state], name: state });

/** `instancesSet` of what changes states. */
export function stateChanges({ instances }: OperationOutput<'StopInstances'>): Tree {
  return {
    instancesSet: instances.map(({ instanceId, currentState, previousState }) => ({
      instanceId,
      currentState: stateTree(currentState),
      previousState: stateTree(previousState),
    })),
  };
}

/** Instances by their reservations, in the order in which they come. */
export function reservationSet(call: Accounts, instances: readonly InstanceView[]): XmlTree {
  const reservations = new Map<string, InstanceView[]>();
  for (const view of instances) {
    const known = reservations.get(view.reservationId);
    if (known === undefined) reservations.set(view.reservationId, [view]);
    else known.push(view);
  }
  return [...reservations.values()].map((rows) => reservationTree(call, rows));
}

/** One reservation with those of its instances that are given. */
export function reservationTree(call: Accounts, instances: readonly InstanceView[]): Tree {
  const [first] = instances;
  if (first === undefined) return {};
  return {
    reservationId: first.reservationId,
    ownerId: call.accountOf(first.projectId),
    groupSet: [],
    instancesSet: instances.toSorted((a, b) => a.launchIndex - b.launchIndex).map((view) => instanceTree(call, view)),
  };
}

/** One instance. Of a terminated one nothing is told of the network that it was in: it has given all of that back. */
export function instanceTree(call: Accounts, view: InstanceView): Tree {
  const { state, stateReason } = view;
  const isGone = state === 'terminated';
  return {
    instanceId: view.instanceId,
    imageId: view.imageId,
    instanceState: stateTree(state),
    privateDnsName: isGone ? '' : view.privateDnsName,
    dnsName: isGone ? '' : (view.publicIpAddress ?? ''),
    reason: stateReason?.message ?? '',
    keyName: view.keyName,
    amiLaunchIndex: view.launchIndex,
    productCodes: [],
    instanceType: view.instanceType,
    launchTime: isoTime(view.launchTimeMs),
    placement: { availabilityZone: view.availabilityZone, groupName: '', tenancy: 'default' },
    kernelId: view.kernelId,
    ramdiskId: view.ramdiskId,
    platform: view.platform,
    monitoring: { state: 'disabled' },
    ...(isGone ? { groupSet: [], networkInterfaceSet: [] } : networkOf(call, view)),
    ...(stateReason === undefined ? {} : { stateReason: { code: stateReason.code, message: stateReason.message } }),
    architecture: view.architecture ?? 'x86_64',
    rootDeviceType: 'instance-store',
    rootDeviceName: view.rootDeviceName ?? DEFAULT_ROOT_DEVICE,
    blockDeviceMapping: blockDevices(view),
    virtualizationType: view.virtualizationType ?? 'hvm',
    clientToken: view.clientToken ?? '',
    tagSet: tagSet(view.tags ?? {}),
    ...FIXED,
    cpuOptions: { coreCount: view.vcpus, threadsPerCore: 1 },
    platformDetails: view.platform === 'windows' ? 'Windows' : 'Linux/UNIX',
  };
}

const FIXED: Tree = {
  ebsOptimized: false,
  enaSupport: false,
  hibernationOptions: { configured: false },
  enclaveOptions: { enabled: false },
  metadataOptions: {
    state: 'applied',
    httpTokens: 'optional',
    httpPutResponseHopLimit: 1,
    httpEndpoint: 'enabled',
    httpProtocolIpv6: 'disabled',
    instanceMetadataTags: 'disabled',
  },
  privateDnsNameOptions: {
    hostnameType: 'ip-name',
    enableResourceNameDnsARecord: false,
    enableResourceNameDnsAAAARecord: false,
  },
};

function networkOf(call: Accounts, view: InstanceView): Tree {
  const { subnetId, vpcId, privateIpAddress, publicIpAddress } = view;
  return {
    subnetId,
    vpcId,
    privateIpAddress,
    ipAddress: publicIpAddress,
    sourceDestCheck: true,
    groupSet: groups(view),
    networkInterfaceSet: [interfaceTree(call, view)],
  };
}

const groups = ({ securityGroups = [] }: InstanceView): XmlTree =>
  securityGroups.map(({ groupId, groupName }) => ({ groupId, groupName }));

function interfaceTree(call: Accounts, view: InstanceView): Tree {
  const { instanceId, privateIpAddress, privateDnsName, publicIpAddress } = view;
  const networkInterfaceId = interfaceId(instanceId);
  const association =
    publicIpAddress === undefined
      ? undefined
      : { publicIp: publicIpAddress, publicDnsName: '', ipOwnerId: call.accountOf(view.projectId) };
  return {
    networkInterfaceId,
    subnetId: view.subnetId,
    vpcId: view.vpcId,
    description: '',
    ownerId: call.accountOf(view.projectId),
    status: 'in-use',
    macAddress: view.macAddress,
    privateIpAddress,
    privateDnsName,
    sourceDestCheck: true,
    groupSet: groups(view),
    attachment: {
      attachmentId: tieId('eni-attach', networkInterfaceId, instanceId),
      deviceIndex: 0,
      status: 'attached',
      attachTime: isoTime(view.launchTimeMs),
      deleteOnTermination: true,
      networkCardIndex: 0,
    },
    association,
    privateIpAddressesSet: [{ privateIpAddress, privateDnsName, primary: true, association }],
    ipv6AddressesSet: [],
    interfaceType: 'interface',
  };
}

export function blockDevices({ blockDevices: devices = [] }: InstanceView): XmlTree {
  return devices.map(({ deviceName, volumeId, status, attachTimeMs, deleteOnTermination }) => ({
    deviceName,
    ebs: { volumeId, status, attachTime: isoTime(attachTimeMs), deleteOnTermination },
  }));
}
