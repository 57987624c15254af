import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { xmlText } from '../../../../../src/base/xml.ts';
import { Ec2Cloud, type Ec2Reply } from '../../../../support/ec2-cloud.ts';
import { itemsOf, plain } from '../../../../support/ec2-tables.ts';
import { volumesSettled } from '../../../../support/settled-volumes.ts';

let cloud: Ec2Cloud;
beforeAll(async () => {
  cloud = await Ec2Cloud.start();
});
afterAll(() => cloud.close());

/** An action that must be done; what is settled before it is looked at. */
async function ok(action: string, parameters: Readonly<Record<string, string>> = {}): Promise<Ec2Reply> {
  const reply = await cloud.ask(action, parameters);
  expect(`${action}: ${reply.code} ${reply.message}`).toBe(`${action}:  `);
  await volumesSettled(cloud.sim);
  return reply;
}

const field = (reply: Ec2Reply, name: string): string => xmlText(reply.xml, name) ?? '';
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string;

async function runInstance(): Promise<string> {
  const { instances } = await cloud.sim.run();
  const ids = instances.map(({ instanceId }) => instanceId);
  await cloud.sim.settled('running', ids);
  return ids[0] ?? '';
}

describe('volumes over the EC2 API', () => {
  it('[sim] a day of one', async () => {
    const instanceId = await runInstance();
    const made = await ok('CreateVolume', {
      ...{ AvailabilityZone: 'nova', Size: '2', VolumeType: 'gp2' },
      ...{ 'TagSpecification.1.ResourceType': 'volume', 'TagSpecification.1.Tag.1.Key': 'Name' },
      'TagSpecification.1.Tag.1.Value': 'data',
    });
    const VolumeId = field(made, 'volumeId');
    expect(field(made, 'status')).toBe('creating');
    await ok('AttachVolume', { VolumeId, InstanceId: instanceId, Device: '/dev/sdh' });
    const shown = await ok('DescribeVolumes', { 'Filter.1.Name': 'tag:Name', 'Filter.1.Value.1': 'da*' });
    expect(itemsOf(shown.xml, 'volumeSet').map(plain)).toEqual([
      {
        ...{ volumeId: VolumeId, size: '2', snapshotId: '', availabilityZone: 'nova', status: 'in-use' },
        createTime: TIME,
        attachmentSet: [
          {
            ...{ volumeId: VolumeId, instanceId, device: '/dev/sdh', status: 'attached', attachTime: TIME },
            deleteOnTermination: 'false',
          },
        ],
        tagSet: [{ key: 'Name', value: 'data' }],
        ...{ volumeType: 'gp2', encrypted: 'false', multiAttachEnabled: 'false' },
      },
    ]);
    const busy = await cloud.ask('DeleteVolume', { VolumeId });
    expect(busy).toMatchObject({ status: 400, code: 'VolumeInUse' });
    await ok('ModifyVolume', { VolumeId, Size: '3' });
    const modified = await ok('DescribeVolumesModifications', { 'VolumeId.1': VolumeId });
    expect(plain(modified.xml)).toMatchObject({
      volumeModificationSet: [{ modificationState: 'completed', targetSize: '3', originalSize: '2', progress: '100' }],
    });
    await ok('DetachVolume', { VolumeId, Force: 'true' });
    const status = await ok('DescribeVolumeStatus', {
      'Filter.1.Name': 'volume-status.status',
      'Filter.1.Value.1': 'ok',
    });
    expect(plain(status.xml)).toMatchObject({
      volumeStatusSet: [{ volumeId: VolumeId, volumeStatus: { status: 'ok' } }],
    });
    await ok('ModifyVolumeAttribute', { VolumeId, 'AutoEnableIO.Value': 'true' });
    const attribute = await ok('DescribeVolumeAttribute', { VolumeId, Attribute: 'autoEnableIO' });
    expect(plain(attribute.xml)).toMatchObject({ volumeId: VolumeId, autoEnableIO: { value: 'true' } });
    await ok('DeleteVolume', { VolumeId });
    expect(await cloud.ask('DescribeVolumes', { 'VolumeId.1': VolumeId })).toMatchObject({
      ...{ status: 400, code: 'InvalidVolume.NotFound' },
    });
  });

  it('[sim] goes with its instance where the instance was told so', async () => {
    const InstanceId = await runInstance();
    const VolumeId = field(await ok('CreateVolume', { AvailabilityZone: 'nova', Size: '1' }), 'volumeId');
    await ok('AttachVolume', { VolumeId, InstanceId, Device: '/dev/sdf' });
    const told = (device: string): Promise<Ec2Reply> =>
      cloud.ask('ModifyInstanceAttribute', {
        ...{ InstanceId, 'BlockDeviceMapping.1.DeviceName': device },
        'BlockDeviceMapping.1.Ebs.DeleteOnTermination': 'true',
      });
    expect(await told('/dev/sdg')).toMatchObject({ code: 'InvalidParameterValue' });
    expect((await told('/dev/sdf')).code).toBe('');
    const shown = await ok('DescribeInstances', { 'InstanceId.1': InstanceId });
    expect(shown.text).toContain(`<volumeId>${VolumeId}</volumeId>`);
    expect(shown.text).toContain('<deleteOnTermination>true</deleteOnTermination>');
    await ok('TerminateInstances', { 'InstanceId.1': InstanceId });
    await cloud.sim.settled('terminated', [InstanceId]);
    await volumesSettled(cloud.sim);
    expect(await cloud.ask('DescribeVolumes', { 'VolumeId.1': VolumeId })).toMatchObject({
      code: 'InvalidVolume.NotFound',
    });
  });

  it.each([
    ['CreateVolume', { AvailabilityZone: 'nova', Size: '1', VolumeType: 'io1', Iops: '100' }, 'InvalidParameterValue'],
    ['CreateVolume', { AvailabilityZone: 'nova', Size: '1', Encrypted: 'true' }, 'UnsupportedOperation'],
    ['CreateVolume', { AvailabilityZone: 'mars', Size: '1' }, 'InvalidZone.NotFound'],
    ['CreateVolume', { Size: '1' }, 'MissingParameter'],
    ['CreateVolume', { AvailabilityZone: 'nova', Size: '1', DryRun: 'true' }, 'DryRunOperation'],
    ['AttachVolume', { VolumeId: 'vol-1234abcd', InstanceId: 'i-1', Device: '/dev/sdf' }, 'InvalidParameterValue'],
    ['DeleteVolume', { VolumeId: 'vol-1234abcd' }, 'InvalidVolume.NotFound'],
    ['DeleteSnapshot', { SnapshotId: 'snap-1234abcd' }, 'InvalidSnapshot.NotFound'],
    ['CopySnapshot', { SourceSnapshotId: 'snap-1234abcd', SourceRegion: 'mars' }, 'InvalidParameterValue'],
    ['ReleaseAddress', { AllocationId: 'eipalloc-1234abcd' }, 'InvalidAllocationID.NotFound'],
    ['DisassociateAddress', { AssociationId: 'eipassoc-1234abcd' }, 'InvalidAssociationID.NotFound'],
    ['AssociateAddress', { InstanceId: 'i-0123456789abcdef0' }, 'MissingParameter'],
  ])('[sim] %s %j: %s', async (action, parameters, code) => {
    const reply = await cloud.ask(action, parameters as unknown as Record<string, string>);
    expect(`${reply.code} ${reply.message}`.split(' ')[0]).toBe(code);
    expect(reply.message).not.toBe('');
    expect(cloud.sim.store.count('volume/')).toBe(0);
  });
});

describe('snapshots over the EC2 API', () => {
  it('[sim] made, shared, copied, restored, deleted', async () => {
    const VolumeId = field(await ok('CreateVolume', { AvailabilityZone: 'nova', Size: '1' }), 'volumeId');
    const made = await ok('CreateSnapshot', { VolumeId, Description: 'daily' });
    const SnapshotId = field(made, 'snapshotId');
    expect(plain(made.xml)).toMatchObject({
      status: 'pending',
      progress: '0%',
      volumeSize: '1',
      ownerId: /^\d{12}$/.exec(field(made, 'ownerId'))?.[0],
    });
    const owner = field(made, 'ownerId');
    for (const Owner of ['self', owner]) {
      const shown = await ok('DescribeSnapshots', {
        'Owner.1': Owner,
        'Filter.1.Name': 'status',
        'Filter.1.Value.1': 'completed',
      });
      expect(itemsOf(shown.xml, 'snapshotSet').map((item) => xmlText(item, 'snapshotId'))).toEqual([SnapshotId]);
    }
    await ok('ModifySnapshotAttribute', { SnapshotId, 'CreateVolumePermission.Add.1.Group': 'all' });
    const said = await ok('DescribeSnapshotAttribute', { SnapshotId, Attribute: 'createVolumePermission' });
    expect(plain(said.xml)).toMatchObject({ createVolumePermission: [{ group: 'all' }] });
    await ok('ResetSnapshotAttribute', { SnapshotId, Attribute: 'createVolumePermission' });
    const copy = field(
      await ok('CopySnapshot', { SourceRegion: 'nova', SourceSnapshotId: SnapshotId, PresignedUrl: 'x' }),
      'snapshotId',
    );
    await ok('DeleteSnapshot', { SnapshotId });
    await ok('CreateVolume', { AvailabilityZone: 'nova', SnapshotId: copy });
    const rest = await ok('DescribeSnapshots', { 'RestorableBy.1': 'self' });
    expect(itemsOf(rest.xml, 'snapshotSet').map((item) => xmlText(item, 'snapshotId'))).toEqual([copy]);
  });
});

describe('addresses over the EC2 API', () => {
  it('[sim] taken, associated, described, given back', async () => {
    const InstanceId = await runInstance();
    const made = await ok('AllocateAddress', { Domain: 'vpc' });
    const [PublicIp, AllocationId] = [field(made, 'publicIp'), field(made, 'allocationId')];
    expect(PublicIp).toMatch(/^198\.51\.100\.\d+$/);
    const AssociationId = field(await ok('AssociateAddress', { AllocationId, InstanceId }), 'associationId');
    const shown = await ok('DescribeAddresses', { 'Filter.1.Name': 'instance-id', 'Filter.1.Value.1': InstanceId });
    expect(itemsOf(shown.xml, 'addressesSet').map(plain)).toMatchObject([
      {
        ...{ publicIp: PublicIp, allocationId: AllocationId, associationId: AssociationId, domain: 'vpc' },
        ...{ instanceId: InstanceId, networkInterfaceId: InstanceId.replace('i-', 'eni-'), publicIpv4Pool: 'amazon' },
      },
    ]);
    expect(await cloud.ask('ReleaseAddress', { AllocationId })).toMatchObject({ code: 'InvalidIPAddress.InUse' });
    const names = await ok('DescribeAddressesAttribute', { 'AllocationId.1': AllocationId, Attribute: 'domain-name' });
    expect(plain(names.xml)).toMatchObject({ addressSet: [{ publicIp: PublicIp, allocationId: AllocationId }] });
    await ok('DisassociateAddress', { AssociationId });
    await ok('AssociateAddress', { PublicIp, NetworkInterfaceId: InstanceId.replace('i-', 'eni-') });
    await ok('DisassociateAddress', { PublicIp });
    await ok('ReleaseAddress', { AllocationId });
    expect(itemsOf((await ok('DescribeAddresses')).xml, 'addressesSet')).toEqual([]);
  });

  it('[sim] of the old domain have no ids', async () => {
    const made = await ok('AllocateAddress', { Domain: 'standard' });
    expect(plain(made.xml)).toMatchObject({ domain: 'standard' });
    expect(field(made, 'allocationId')).toBe('');
    await ok('ReleaseAddress', { PublicIp: field(made, 'publicIp') });
  });
});
