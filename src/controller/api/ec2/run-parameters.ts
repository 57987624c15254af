import { CloudError } from '../../../base/errors.ts';
import type { OperationInput } from '../../../messages/operations/index.ts';
import { blockDevices } from './block-devices.ts';
import { given } from './group-trees.ts';
import { idIf, needId } from './id-params.ts';
import { noneOf, onlyDefaults, tagsOfKinds, unsupported } from './only-defaults.ts';
import type { Params } from './params.ts';

type Input = OperationInput<'RunInstances'>;

/** What instances here are like anyway; clients like to say it. */
const AS_IT_IS = {
  'CapacityReservationSpecification.CapacityReservationPreference': ['open', 'none'],
  'CreditSpecification.CpuCredits': ['standard'],
  EbsOptimized: ['false'],
  EnablePrimaryIpv6: ['false'],
  'EnclaveOptions.Enabled': ['false'],
  'HibernationOptions.Configured': ['false'],
  Ipv6AddressCount: ['0'],
  'MaintenanceOptions.AutoRecovery': ['default'],
  'MetadataOptions.HttpEndpoint': ['enabled'],
  'MetadataOptions.HttpProtocolIpv6': ['disabled'],
  'MetadataOptions.HttpPutResponseHopLimit': ['1'],
  'MetadataOptions.HttpTokens': ['optional'],
  'MetadataOptions.InstanceMetadataTags': ['disabled'],
  'Monitoring.Enabled': ['false'],
  'NetworkPerformanceOptions.BandwidthWeighting': ['default'],
  'Placement.Tenancy': ['default'],
  'PrivateDnsNameOptions.EnableResourceNameDnsAAAARecord': ['false'],
  'PrivateDnsNameOptions.EnableResourceNameDnsARecord': ['false'],
  'PrivateDnsNameOptions.HostnameType': ['ip-name'],
} as const;

const ABSENT = {
  AdditionalInfo: 'additional information of instances',
  CpuOptions: 'options of processors',
  ElasticGpuSpecification: 'graphics accelerators',
  ElasticInferenceAccelerator: 'inference accelerators',
  IamInstanceProfile: 'instance profiles',
  InstanceMarketOptions: 'spot instances',
  Ipv6Address: 'IPv6 addresses',
  LaunchTemplate: 'launch templates',
  LicenseSpecification: 'licenses',
} as const;

const NO_PLACEMENT = {
  Affinity: 'dedicated hosts',
  AvailabilityZoneId: 'zones by id; give AvailabilityZone',
  GroupId: 'placement groups',
  HostId: 'dedicated hosts',
  HostResourceGroupArn: 'host resource groups',
  PartitionNumber: 'placement groups',
  SpreadDomain: 'spread domains',
} as const;

/** RunInstances as the operation has it. Each parameter is taken over or refused by name; what nobody reads the edge refuses. */
export function runInput(params: Params, region: { readonly zones: readonly string[] }): Input {
  onlyDefaults(params, AS_IT_IS);
  noneOf(params, ABSENT);
  const disks = blockDevices(params);
  // Tags of volumes are meant for however many are made: for none, where there are none, as in EC2.
  const tags = tagsOfKinds(params, ['instance', 'volume']);
  const UserData = params.text('UserData')?.replace(/\s/g, '');
  return {
    ImageId: needId(params, 'image', 'ImageId'),
    MinCount: need(params, 'MinCount'),
    MaxCount: need(params, 'MaxCount'),
    ...given({
      InstanceType: nonEmpty(params, 'InstanceType'),
      KeyName: nonEmpty(params, 'KeyName'),
      UserData: UserData === '' ? undefined : UserData,
      KernelId: idIf(params, 'image', 'KernelId'),
      RamdiskId: idIf(params, 'image', 'RamdiskId'),
      DisableApiTermination: params.bool('DisableApiTermination'),
      DisableApiStop: params.bool('DisableApiStop'),
      InstanceInitiatedShutdownBehavior: shutdownBehavior(params, params.text('InstanceInitiatedShutdownBehavior')),
      ClientToken: nonEmpty(params, 'ClientToken'),
      AvailabilityZones: zone(params, region),
    }),
    ...network(params),
    ...disks,
    ...given({ Tags: tags['instance'], VolumeTags: disks.BlockDeviceMapping && tags['volume'] }),
  };
}

export function nonEmpty(params: Params, name: string): string | undefined {
  const text = params.text(name);
  return text === '' ? undefined : text;
}

function need(params: Params, name: string): number {
  const value = params.int(name);
  if (value !== undefined) return value;
  throw new CloudError('MissingParameter', `${name}: is needed`, { details: { parameter: name } });
}

export function shutdownBehavior(params: Params, text: string | undefined): 'stop' | 'terminate' | undefined {
  if (text === undefined || text === '') return undefined;
  if (text === 'stop' || text === 'terminate') return text;
  throw params.bad('InstanceInitiatedShutdownBehavior', `must be stop or terminate, not ${JSON.stringify(text)}`);
}

/** The zones are those of all hosts: they are looked for only when one is asked for. */
function zone(params: Params, region: { readonly zones: readonly string[] }): string[] | undefined {
  const placement = params.struct('Placement');
  if (placement === undefined) return undefined;
  noneOf(placement, NO_PLACEMENT);
  const group = nonEmpty(placement, 'GroupName');
  if (group !== undefined)
    throw unsupported(placement.named('GroupName'), 'there are no placement groups in this cloud');
  const asked = nonEmpty(placement, 'AvailabilityZone');
  if (asked === undefined) return undefined;
  const { zones } = region;
  if (zones.includes(asked)) return [asked];
  throw placement.bad('AvailabilityZone', `there is no zone ${JSON.stringify(asked)}; there are: ${zones.join(', ')}`);
}

/** The one interface that an instance has, said in its own parameters or in those of the instance. */
function network(params: Params): Pick<Input, 'SubnetId' | 'PrivateIpAddress' | 'SecurityGroupIds' | 'SecurityGroups'> {
  const [first, second] = params.structs('NetworkInterface');
  if (second !== undefined)
    throw unsupported(second.named('DeviceIndex'), 'an instance has one network interface here');
  if (first === undefined) {
    return given({
      SubnetId: nonEmpty(params, 'SubnetId'),
      PrivateIpAddress: nonEmpty(params, 'PrivateIpAddress'),
      SecurityGroupIds: params.list('SecurityGroupId'),
      SecurityGroups: params.list('SecurityGroup'),
    });
  }
  for (const name of ['SubnetId', 'PrivateIpAddress', 'SecurityGroupId', 'SecurityGroup']) {
    if (!params.has(name)) continue;
    throw new CloudError(
      'InvalidParameterCombination',
      `${name}: belongs into NetworkInterface.1 when a network interface is given`,
      { details: { parameter: name } },
    );
  }
  onlyDefaults(first, {
    AssociatePublicIpAddress: ['false'],
    DeleteOnTermination: ['true'],
    DeviceIndex: ['0'],
    InterfaceType: ['interface'],
    Ipv6AddressCount: ['0'],
    NetworkCardIndex: ['0'],
    SecondaryPrivateIpAddressCount: ['0'],
  });
  noneOf(first, { NetworkInterfaceId: 'network interfaces of their own', Ipv6Addresses: 'IPv6 addresses' });
  return given({
    SubnetId: nonEmpty(first, 'SubnetId'),
    PrivateIpAddress: nonEmpty(first, 'PrivateIpAddress') ?? primaryAddress(first),
    SecurityGroupIds: first.list('SecurityGroupId'),
  });
}

function primaryAddress(nic: Params): string | undefined {
  const [first, second] = nic.structs('PrivateIpAddresses');
  if (second !== undefined)
    throw unsupported(second.named('PrivateIpAddress'), 'an instance has one private address here');
  if (first === undefined) return undefined;
  if (first.bool('Primary') === false) throw unsupported(first.named('Primary'), 'the only address is the primary one');
  return first.need('PrivateIpAddress');
}
