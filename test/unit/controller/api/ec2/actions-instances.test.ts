import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { xmlFind, xmlText, type XmlElement } from '../../../../../src/base/xml.ts';
import { Ec2Cloud } from '../../../../support/ec2-cloud.ts';
import { volumesSettled } from '../../../../support/settled-volumes.ts';

let cloud: Ec2Cloud;
let ami: string;
beforeAll(async () => {
  cloud = await Ec2Cloud.start({ hosts: ['node1', 'node2'] });
  ami = (await cloud.sim.call('DescribeImages', {})).images[0]?.imageId ?? '';
});
afterAll(() => cloud.close());

type Asked = Readonly<Record<string, string>>;

async function ok(action: string, asked: Asked = {}): Promise<XmlElement> {
  const reply = await cloud.ask(action, asked);
  expect(`${reply.status} ${reply.code} ${reply.message}`).toBe('200  ');
  return reply.xml;
}

const items = (xml: XmlElement, ...path: string[]): readonly XmlElement[] => xmlFind(xml, ...path)?.children ?? [];
const refused = async (action: string, asked: Asked): Promise<string> => (await cloud.ask(action, asked)).code;

const SDF = { 'BlockDeviceMapping.1.DeviceName': '/dev/sdf', 'BlockDeviceMapping.1.Ebs.VolumeSize': '1' };
const ONE = { MinCount: '1', MaxCount: '1', InstanceType: 'm1.nano' };
const run = async (more: Asked = {}): Promise<XmlElement> => ok('RunInstances', { ImageId: ami, ...ONE, ...more });
const idsOf = (reservation: XmlElement): string[] =>
  items(reservation, 'instancesSet').map((one) => xmlText(one, 'instanceId') ?? '');

/** The only instance with that id, as DescribeInstances has it. */
async function described(id: string): Promise<XmlElement> {
  const [reservation] = items(await ok('DescribeInstances', { 'InstanceId.1': id }), 'reservationSet');
  const [instance] = reservation === undefined ? [] : items(reservation, 'instancesSet');
  if (instance === undefined) throw new Error(`no instance ${id}`);
  return instance;
}

const stateOf = (instance: XmlElement): string =>
  `${xmlText(xmlFind(instance, 'instanceState') ?? instance, 'code')} ${xmlText(xmlFind(instance, 'instanceState') ?? instance, 'name')}`;

describe('RunInstances', () => {
  it('[sim] starts what it says, and a repeated token is the same reservation', async () => {
    const asked = {
      ...{ MinCount: '2', MaxCount: '2', ClientToken: 'once', UserData: 'aGVsbG8=' },
      ...{ 'Placement.AvailabilityZone': 'nova', 'BlockDeviceMapping.1.DeviceName': '/dev/sda1' },
      ...{ 'BlockDeviceMapping.1.Ebs.VolumeSize': '3', 'TagSpecification.1.ResourceType': 'instance' },
      ...{ 'TagSpecification.1.Tag.1.Key': 'Name', 'TagSpecification.1.Tag.1.Value': 'web' },
      ...{ EbsOptimized: 'false', 'Monitoring.Enabled': 'false', 'MetadataOptions.HttpTokens': 'optional' },
    };
    const first = await run(asked);
    const again = await run(asked);
    expect(xmlText(again, 'reservationId')).toBe(xmlText(first, 'reservationId'));
    const ids = idsOf(first);
    expect(ids).toHaveLength(2);
    const records = await cloud.sim.settled('running', ids);
    expect(records.map(({ diskGib, clientToken }) => ({ diskGib, clientToken }))).toEqual(
      ids.map(() => ({ diskGib: 3, clientToken: 'once' })),
    );
    const instance = await described(ids[0] ?? '');
    expect(stateOf(instance)).toBe('16 running');
    expect(xmlText(instance, 'rootDeviceType')).toBe('instance-store');
    expect(xmlText(instance, 'vpcId')).toMatch(/^vpc-/);
    expect(items(instance, 'tagSet').map((tag) => xmlText(tag, 'value'))).toEqual(['web']);
    expect(items(instance, 'networkInterfaceSet')).toHaveLength(1);
    const { instances } = await cloud.sim.call('DescribeInstances', { InstanceIds: ids });
    expect(instances.map(({ name }) => name)).toEqual(['web', 'web']);
  });

  it.each([
    [{ 'IamInstanceProfile.Name': 'x' }, 'UnsupportedOperation'],
    [{ 'Monitoring.Enabled': 'true' }, 'UnsupportedOperation'],
    [{ 'Placement.Tenancy': 'dedicated' }, 'UnsupportedOperation'],
    [{ 'Placement.AvailabilityZone': 'mars' }, 'InvalidParameterValue'],
    [{ ...SDF, 'BlockDeviceMapping.1.Ebs.Iops': '3000' }, 'UnsupportedOperation'],
    [{ ...SDF, 'BlockDeviceMapping.1.Ebs.VolumeSize': '0' }, 'InvalidParameterValue'],
    [{ ...SDF, 'BlockDeviceMapping.1.Ebs.SnapshotId': 'snap-0123456789abcdef0' }, 'InvalidSnapshot.NotFound'],
    [{ 'BlockDeviceMapping.1.DeviceName': '/dev/sdf' }, 'InvalidParameterValue'],
    [
      { 'BlockDeviceMapping.1.DeviceName': '/dev/sdb', 'BlockDeviceMapping.1.VirtualName': 'ephemeral0' },
      'UnsupportedOperation',
    ],
    [
      { 'BlockDeviceMapping.1.DeviceName': '/dev/vda', 'BlockDeviceMapping.1.Ebs.VolumeType': 'io2' },
      'UnsupportedOperation',
    ],
    [
      { 'TagSpecification.1.ResourceType': 'network-interface', 'TagSpecification.1.Tag.1.Key': 'a' },
      'UnsupportedOperation',
    ],
    [{ 'NetworkInterface.1.DeviceIndex': '0', SubnetId: 'subnet-0123456789abcdef0' }, 'InvalidParameterCombination'],
    [{ SubnetId: 'subnet-0123456789abcdef0' }, 'InvalidSubnetID.NotFound'],
    [{ KeyName: 'absent' }, 'InvalidKeyPair.NotFound'],
    [{ InstanceType: 't9.huge' }, 'InvalidInstanceType'],
    [{ ImageId: 'ami-0123456789abcdef0' }, 'InvalidAMIID.NotFound'],
    [{ ImageId: 'still' }, 'InvalidAMIID.Malformed'],
    [{ Nonsense: '1' }, 'UnknownParameter'],
    [{ DryRun: 'true' }, 'DryRunOperation'],
    [{ 'SecurityGroup.1': 'absent' }, 'InvalidGroup.NotFound'],
    [{ PrivateIpAddress: '192.0.2.1' }, 'InvalidParameterValue'],
  ])('[sim] refuses %j as %s, and makes nothing', async (more, code) => {
    const before = cloud.sim.records().length;
    expect(await refused('RunInstances', { ImageId: ami, ...ONE, ...more })).toBe(code);
    expect(cloud.sim.records()).toHaveLength(before);
  });

  it('[sim] makes and attaches the volumes of its block devices, with tags of their own', async () => {
    const [id = ''] = idsOf(
      await run({
        ...SDF,
        ...{ 'BlockDeviceMapping.1.Ebs.DeleteOnTermination': 'false', 'BlockDeviceMapping.1.Ebs.VolumeType': 'gp2' },
        ...{ 'BlockDeviceMapping.2.DeviceName': 'xvda', 'BlockDeviceMapping.2.Ebs.VolumeSize': '3' },
        ...{ 'BlockDeviceMapping.3.DeviceName': '/dev/sdg', 'BlockDeviceMapping.3.NoDevice': '' },
        ...{ 'TagSpecification.1.ResourceType': 'volume', 'TagSpecification.1.Tag.1.Key': 'of' },
        ...{ 'TagSpecification.1.Tag.1.Value': 'web' },
      }),
    );
    await cloud.sim.settled('running', [id]);
    await volumesSettled(cloud.sim);
    const [device, ...others] = items(await described(id), 'blockDeviceMapping');
    const ebs = xmlFind(device ?? expect.fail('no device'), 'ebs') ?? expect.fail('no volume');
    expect(others).toEqual([]);
    expect([xmlText(ebs, 'status'), xmlText(ebs, 'deleteOnTermination')]).toEqual(['attached', 'false']);
    const asked = { 'Filter.1.Name': 'tag:of', 'Filter.1.Value.1': 'web' };
    const volumes = items(await ok('DescribeVolumes', asked), 'volumeSet');
    expect(volumes.map((one) => [xmlText(one, 'volumeId'), xmlText(one, 'volumeType')])).toEqual([
      [xmlText(ebs, 'volumeId'), 'gp2'],
    ]);
    expect(cloud.sim.record(id).diskGib).toBe(3);
  });

  it('[sim] gives the address that was asked for, once', async () => {
    const [id = ''] = idsOf(await run());
    const { nic } = cloud.sim.record(id);
    const free = nic.address.replace(/\d+$/, (last) => String(last === '77' ? 78 : 77));
    const [other = ''] = idsOf(await run({ PrivateIpAddress: free }));
    expect(cloud.sim.record(other).nic.address).toBe(free);
    expect(await refused('RunInstances', { ImageId: ami, ...ONE, PrivateIpAddress: free })).toBe(
      'InvalidIPAddress.InUse',
    );
  });

  it('[sim] of a hundred with tags and a group fits its transactions', async () => {
    const wide = await Ec2Cloud.start({ hosts: Array.from({ length: 60 }, (_, index) => `node${index}`) });
    const image = (await wide.sim.call('DescribeImages', {})).images[0]?.imageId ?? '';
    const tags = { 'TagSpecification.1.ResourceType': 'instance', 'TagSpecification.1.Tag.1.Key': 'a' };
    const asked = { ImageId: image, MinCount: '100', MaxCount: '100', InstanceType: 'm1.nano', UserData: 'aGk=' };
    const reply = await wide.ask('RunInstances', { ...asked, ...tags, 'SecurityGroup.1': 'default', ClientToken: 'a' });
    expect(`${reply.status} ${reply.message}`).toBe('200 ');
    expect(wide.sim.store.count('tags/')).toBe(100);
    await wide.close();
  });
});

describe('DescribeInstances', () => {
  it('[sim] pages and filters as EC2 does, and tells malformed ids from those that are not there', async () => {
    await run({ MinCount: '7', MaxCount: '7', ClientToken: 'seven' });
    const filter = { 'Filter.1.Name': 'client-token', 'Filter.1.Value.1': 'sev*' };
    const pages: number[] = [];
    for (let token = ''; pages.length === 0 || token !== '';) {
      const page = await ok('DescribeInstances', { ...filter, MaxResults: '5', ...(token && { NextToken: token }) });
      pages.push(items(page, 'reservationSet').flatMap(idsOf).length);
      token = xmlText(page, 'nextToken') ?? '';
    }
    expect(pages).toEqual([5, 2]);
    expect(await refused('DescribeInstances', { MaxResults: '4' })).toBe('InvalidParameterValue');
    expect(await refused('DescribeInstances', { 'InstanceId.1': 'i-x' })).toBe('InvalidInstanceID.Malformed');
    expect(await refused('DescribeInstances', { 'InstanceId.1': 'i-12345678' })).toBe('InvalidInstanceID.NotFound');
    const owner = xmlText(items(await ok('DescribeInstances'), 'reservationSet')[0] ?? fail(), 'ownerId') ?? '';
    const count = async (asked: Asked): Promise<number> =>
      items(await ok('DescribeInstances', asked), 'reservationSet').flatMap(idsOf).length;
    const all = await count({});
    expect(await count({ 'Filter.1.Name': 'owner-id', 'Filter.1.Value.1': owner })).toBe(all);
    expect(await count({ 'Filter.1.Name': 'owner-id', 'Filter.1.Value.1': '000000000000' })).toBe(0);
    expect(await count({ 'Filter.1.Name': 'root-device-type', 'Filter.1.Value.1': 'ebs' })).toBe(0);
  });
});

function fail(): never {
  throw new Error('there is no reservation');
}

describe('attributes', () => {
  it('[sim] protect, resize and reset; what can not be is refused', async () => {
    const [id = ''] = idsOf(await run({ DisableApiTermination: 'true', DisableApiStop: 'true' }));
    await cloud.sim.settled('running', [id]);
    const modify = (asked: Asked) => ok('ModifyInstanceAttribute', { InstanceId: id, ...asked });
    expect(await refused('TerminateInstances', { 'InstanceId.1': id })).toBe('OperationNotPermitted');
    expect(await refused('StopInstances', { 'InstanceId.1': id })).toBe('OperationNotPermitted');
    await modify({ 'DisableApiTermination.Value': 'false' });
    await modify({ Attribute: 'disableApiStop', Value: 'false' });
    const change = { InstanceId: id, 'InstanceType.Value': 'm1.tiny' };
    expect(await refused('ModifyInstanceAttribute', change)).toBe('IncorrectInstanceState');
    const stopped = await ok('StopInstances', { 'InstanceId.1': id });
    expect(items(stopped, 'instancesSet').map((one) => xmlText(xmlFind(one, 'currentState') ?? one, 'name'))).toEqual([
      'stopping',
    ]);
    await cloud.sim.settled('stopped', [id]);
    await modify({ 'InstanceType.Value': 'm1.tiny' });
    await modify({ 'UserData.Value': 'Ynll' });
    const shown = await ok('DescribeInstanceAttribute', { InstanceId: id, Attribute: 'userData' });
    expect(xmlText(xmlFind(shown, 'userData') ?? shown, 'value')).toBe('Ynll');
    await ok('StartInstances', { 'InstanceId.1': id });
    const [record] = await cloud.sim.settled('running', [id]);
    expect(record).toMatchObject({ typeName: 'm1.tiny', memoryMib: 512, hasUserData: true });
    const domains = cloud.sim.world.hosts().flatMap((host) => host.domains.all());
    expect(domains.find(({ name }) => name === id)?.spec.memoryMib).toBe(512);
    const check = { InstanceId: id, 'SourceDestCheck.Value': 'false' };
    expect(await refused('ModifyInstanceAttribute', check)).toBe('UnsupportedOperation');
    await ok('TerminateInstances', { 'InstanceId.1': id });
    await cloud.sim.settled('terminated', [id]);
    const gone = await described(id);
    expect(stateOf(gone)).toBe('48 terminated');
    expect(xmlText(gone, 'subnetId')).toBeUndefined();
  });

  it('[sim] say whether a guest that switches itself off is ended', async () => {
    const [id = ''] = idsOf(await run({ InstanceInitiatedShutdownBehavior: 'terminate' }));
    await cloud.sim.settled('running', [id]);
    const host = cloud.sim.world.hosts().find((one) => one.domains.all().some(({ name }) => name === id));
    const domain = host?.domains.all().find(({ name }) => name === id);
    if (host === undefined || domain === undefined) throw new Error(`no domain of ${id}`);
    host.domains.powerOff(domain, 'shutdown');
    await cloud.sim.settled('terminated', [id]);
    expect(cloud.sim.record(id).stateReason?.code).toBe('Client.InstanceInitiatedShutdown');
  });
});

describe('what is told of an instance', () => {
  it('[sim] is its status, its console, and that nothing watches it closer', async () => {
    const [id = ''] = idsOf(await run());
    await cloud.sim.settled('running', [id]);
    const [status] = items(await ok('DescribeInstanceStatus', { 'InstanceId.1': id }), 'instanceStatusSet');
    expect(status && xmlText(xmlFind(status, 'instanceStatus') ?? status, 'status')).toBe('ok');
    const output = xmlText(await ok('GetConsoleOutput', { InstanceId: id }), 'output') ?? '';
    expect(Buffer.from(output, 'base64').toString()).toContain(`simulated guest ${id}: boot 1`);
    const [watched] = items(await ok('MonitorInstances', { 'InstanceId.1': id }), 'instancesSet');
    expect(watched && xmlText(xmlFind(watched, 'monitoring') ?? watched, 'state')).toBe('disabled');
    expect(xmlText(await ok('GetPasswordData', { InstanceId: id }), 'passwordData') ?? '').toBe('');
    await ok('StopInstances', { 'InstanceId.1': id });
    await cloud.sim.settled('stopped', [id]);
    expect(items(await ok('DescribeInstanceStatus', { 'InstanceId.1': id }), 'instanceStatusSet')).toEqual([]);
    const all = { 'InstanceId.1': id, IncludeAllInstances: 'true' };
    const [stopped] = items(await ok('DescribeInstanceStatus', all), 'instanceStatusSet');
    expect(stopped && xmlText(xmlFind(stopped, 'systemStatus') ?? stopped, 'status')).toBe('not-applicable');
  });

  it('[sim] are types and where they are offered, in pages', async () => {
    const page = await ok('DescribeInstanceTypes', { MaxResults: '5' });
    expect(items(page, 'instanceTypeSet')).toHaveLength(5);
    const rest = await ok('DescribeInstanceTypes', { MaxResults: '5', NextToken: xmlText(page, 'nextToken') ?? '' });
    expect(items(rest, 'instanceTypeSet')).toHaveLength(1);
    const big = { 'Filter.1.Name': 'memory-info.size-in-mib', 'Filter.1.Value.1': '4096' };
    expect(items(await ok('DescribeInstanceTypes', big), 'instanceTypeSet')).toHaveLength(1);
    expect(await refused('DescribeInstanceTypes', { 'InstanceType.1': 't9.huge' })).toBe('InvalidInstanceType');
    const offered = await ok('DescribeInstanceTypeOfferings', { LocationType: 'availability-zone' });
    expect(items(offered, 'instanceTypeOfferingSet')).toHaveLength(6);
  });
});
