import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/base/clock.ts';
import type { AccessKey } from '../../src/base/signature/sign-request.ts';
import { xmlFind, xmlText } from '../../src/base/xml.ts';
import { Ec2Cloud, formOf, type Ec2Reply } from '../support/ec2-cloud.ts';
import { watchFor } from '../support/canaries.ts';

const MINUTE_MS = 60_000;

/** The time of day moves when a test says so; timers run as ever. */
class ShiftedClock extends SystemClock {
  shiftMs = 0;

  override nowMs(): number {
    return super.nowMs() + this.shiftMs;
  }
}

const clock = new ShiftedClock();
let cloud: Ec2Cloud;
let bob: AccessKey;
let eve: AccessKey;
let ami = '';

async function member(user: string, project: string): Promise<AccessKey> {
  await cloud.sim.call('CreateUser', { UserName: user });
  await cloud.sim.call('CreateProject', { ProjectId: project, Manager: 'admin', Members: [user] });
  for (const Role of ['sysadmin', 'netadmin'] as const)
    await cloud.sim.call('AddRole', { UserName: user, ProjectId: project, Role });
  const made = await cloud.sim.call('CreateAccessKey', { UserName: user, ProjectId: project });
  const secretAccessKey = watchFor('secret access key', made.secretAccessKey);
  return { accessKeyId: made.accessKey.accessKeyId, secretAccessKey };
}

beforeAll(async () => {
  cloud = await Ec2Cloud.start({ clock });
  bob = await member('bob', 'lab');
  eve = await member('eve', 'other');
  const { image } = await cloud.sim.call('ModifyImageAttribute', { ImageId: 'still', Public: true });
  ami = image.imageId;
});
afterAll(() => cloud.close());

const refusal = ({ status, code }: Ec2Reply): string => `${status} ${code}`;

describe('a key at the EC2 API [sim]', () => {
  it('is refused from the request on that comes after it was disabled, and taken again when it is enabled', async () => {
    const set = (Status: 'Active' | 'Inactive') =>
      cloud.sim.call('UpdateAccessKey', { AccessKeyId: bob.accessKeyId, Status });
    expect(refusal(await cloud.ask('DescribeVolumes', {}, bob))).toBe('200 ');
    await set('Inactive');
    expect(refusal(await cloud.ask('DescribeVolumes', {}, bob))).toBe('401 AuthFailure');
    await set('Active');
    expect(refusal(await cloud.ask('DescribeVolumes', {}, bob))).toBe('200 ');
  });

  it('may no more than its user: not once disabled, and nothing that a role allowed that is gone', async () => {
    const role = { UserName: 'bob', ProjectId: 'lab', Role: 'netadmin' } as const;
    const group = (GroupName: string): Promise<Ec2Reply> =>
      cloud.ask('CreateSecurityGroup', { GroupName, GroupDescription: 'x' }, bob);
    expect(refusal(await group('before'))).toBe('200 ');
    await cloud.sim.call('RemoveRole', role);
    expect(refusal(await group('after'))).toBe('403 UnauthorizedOperation');
    await cloud.sim.call('AddRole', role);
    await cloud.sim.call('ModifyUser', { UserName: 'bob', Enabled: false });
    expect(refusal(await group('disabled'))).toBe('401 AuthFailure');
    await cloud.sim.call('ModifyUser', { UserName: 'bob', Enabled: true });
    const { text } = await cloud.ask('DescribeSecurityGroups', {}, bob);
    expect(text.match(/<groupName>(before|after|disabled)</g)).toEqual(['<groupName>before<']);
  });

  it('is no way in for bytes that were heard and are said again when the window is over', async () => {
    const body = formOf({ Action: 'CreateKeyPair', Version: '2016-11-15', KeyName: 'replayed' });
    const heard = { headers: cloud.signed(body, {}, bob), body };
    expect(refusal(await cloud.send(heard))).toBe('200 ');
    expect(refusal(await cloud.send(heard))).toBe('400 InvalidKeyPair.Duplicate');
    await cloud.ask('DeleteKeyPair', { KeyName: 'replayed' }, bob);
    clock.shiftMs = 6 * MINUTE_MS;
    try {
      expect(refusal(await cloud.send(heard))).toBe('400 RequestExpired');
      expect((await cloud.ask('DescribeKeyPairs', {}, bob)).text).not.toContain('replayed');
    } finally {
      clock.shiftMs = 0;
    }
  });
});

interface Things {
  readonly instance: string;
  readonly volume: string;
  readonly group: string;
  readonly allocation: string;
  readonly address: string;
  readonly subnet: string;
  readonly vpc: string;
  readonly reservation: string;
}

async function make(): Promise<Things> {
  const told = async (action: string, parameters: Record<string, string>): Promise<Ec2Reply> => {
    const reply = await cloud.ask(action, parameters, bob);
    expect(refusal(reply), action).toBe('200 ');
    return reply;
  };
  const run = await told('RunInstances', {
    ...{ ImageId: ami, InstanceType: 'm1.nano', MinCount: '1', MaxCount: '1' },
  });
  const instance = xmlFind(run.xml, 'instancesSet', 'item');
  const of = (name: string): string => (instance && xmlText(instance, name)) ?? '';
  await cloud.sim.settled('running', [of('instanceId')]);
  const volume = await told('CreateVolume', { AvailabilityZone: 'nova', Size: '1' });
  const group = await told('CreateSecurityGroup', { GroupName: 'mine', GroupDescription: 'x' });
  const address = await told('AllocateAddress', { Domain: 'vpc' });
  await told('CreateKeyPair', { KeyName: 'mine' });
  const text = ({ xml }: Ec2Reply, name: string): string => xmlText(xml, name) ?? '';
  return {
    ...{ instance: of('instanceId'), subnet: of('subnetId'), vpc: of('vpcId') },
    reservation: text(run, 'reservationId'),
    ...{ volume: text(volume, 'volumeId'), group: text(group, 'groupId') },
    ...{ allocation: text(address, 'allocationId'), address: text(address, 'publicIp') },
  };
}

/** What somebody else may try with ids that are true: one row an action, and that which an id that never was is answered with. */
const ATTEMPTS: readonly (readonly [action: string, parameters: (of: Things) => Record<string, string>])[] = [
  ['DescribeInstances', ({ instance }) => ({ 'InstanceId.1': instance })],
  ['DescribeInstanceAttribute', ({ instance }) => ({ InstanceId: instance, Attribute: 'userData' })],
  ['GetConsoleOutput', ({ instance }) => ({ InstanceId: instance })],
  ['StartInstances', ({ instance }) => ({ 'InstanceId.1': instance })],
  ['StopInstances', ({ instance }) => ({ 'InstanceId.1': instance })],
  ['RebootInstances', ({ instance }) => ({ 'InstanceId.1': instance })],
  ['TerminateInstances', ({ instance }) => ({ 'InstanceId.1': instance })],
  ['ModifyInstanceAttribute', ({ instance }) => ({ InstanceId: instance, 'DisableApiTermination.Value': 'true' })],
  ['CreateTags', ({ instance }) => ({ 'ResourceId.1': instance, 'Tag.1.Key': 'k', 'Tag.1.Value': 'v' })],
  ['DescribeVolumes', ({ volume }) => ({ 'VolumeId.1': volume })],
  ['DeleteVolume', ({ volume }) => ({ VolumeId: volume })],
  ['CreateSnapshot', ({ volume }) => ({ VolumeId: volume })],
  ['AttachVolume', ({ volume, instance }) => ({ VolumeId: volume, InstanceId: instance, Device: '/dev/sdf' })],
  ['DescribeSecurityGroups', ({ group }) => ({ 'GroupId.1': group })],
  ['DeleteSecurityGroup', ({ group }) => ({ GroupId: group })],
  [
    'AuthorizeSecurityGroupIngress',
    ({ group }) => ({ GroupId: group, IpProtocol: 'tcp', FromPort: '1', ToPort: '1', CidrIp: '0.0.0.0/0' }),
  ],
  ['ReleaseAddress', ({ allocation }) => ({ AllocationId: allocation })],
  ['AssociateAddress', ({ allocation, instance }) => ({ AllocationId: allocation, InstanceId: instance })],
  ['DescribeAddresses', ({ address }) => ({ 'PublicIp.1': address })],
  ['DeleteSubnet', ({ subnet }) => ({ SubnetId: subnet })],
  ['DescribeSubnets', ({ subnet }) => ({ 'SubnetId.1': subnet })],
  ['DeleteVpc', ({ vpc }) => ({ VpcId: vpc })],
  ['DescribeVpcs', ({ vpc }) => ({ 'VpcId.1': vpc })],
  ['DescribeKeyPairs', () => ({ 'KeyName.1': 'mine' })],
];

/** The same shape, of nobody. */
const absent = (text: string): string =>
  /^\d+\.\d+\.\d+\.\d+$/.test(text) ? '198.51.100.250' : text.replace(/[0-9a-f]{17}$/, 'f'.repeat(17));

describe("another project's ids at the EC2 API [sim]", () => {
  it('are answered as ids that never were, and nothing happens to what they name', { timeout: 30_000 }, async () => {
    const things = await make();
    const never = { ...things };
    for (const name of Object.keys(things) as (keyof Things)[]) Object.assign(never, { [name]: absent(things[name]) });
    for (const id of Object.values(things)) expect(id).not.toBe('');
    const before = state(things);
    for (const [action, parameters] of ATTEMPTS) {
      const reply = await cloud.ask(action, parameters(things), eve);
      expect(refusal(reply), action).toMatch(/^400 Invalid\w+\.NotFound$/);
      const other = await cloud.ask(action, parameters(never), eve);
      expect(refusal(other), action).toBe(refusal(reply));
      expect(anonymous(reply, things), action).toBe(anonymous(other, never));
    }
    for (const id of ['DescribeInstances', 'DescribeVolumes', 'DescribeAddresses', 'DescribeKeyPairs'])
      for (const thing of Object.values(things)) expect((await cloud.ask(id, {}, eve)).text, id).not.toContain(thing);
    expect(state(things)).toEqual(before);
  });
});

/** The records that the ids name, but for what a worker reports of them. */
function state(things: Things): string[] {
  const ids = Object.values(things);
  const named = cloud.sim.store.range('').filter(({ key }) => ids.some((id) => key.includes(id)));
  return named.map(({ key, value }) => `${key} ${JSON.stringify(value)}`);
}

/** The answer without what must differ. */
function anonymous({ text }: Ec2Reply, things: Things): string {
  const without = Object.values(things).reduce((rest, id) => rest.replaceAll(id, 'ID'), text);
  return without.replaceAll(/req-[0-9a-f]{17}/g, 'REQUEST');
}
