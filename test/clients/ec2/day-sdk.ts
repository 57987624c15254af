/** A day in the life of a cloud by the AWS SDK for JavaScript, with its waiters and pages. A program of its own: node day-sdk.ts. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import * as sdk from '@aws-sdk/client-ec2';

const image = process.env['NOVACTL_TEST_IMAGE'];
const endpoint = process.env['AWS_ENDPOINT_URL_EC2'] ?? '';
const client = new sdk.EC2Client({ endpoint, region: process.env['AWS_REGION'] ?? '', maxAttempts: 1 });
/** On real hosts there are no groups, addresses and volumes: they are refused. Guests take their time there, and say something. */
const isReal = process.env['NOVACTL_TEST_REAL'] !== undefined;
const says = process.env['NOVACTL_TEST_CONSOLE'] ?? '';
const maxWaitTime = Number(process.env['NOVACTL_TEST_PATIENCE_S'] ?? '40');
const patient = { client, minDelay: 1, maxDelay: 2, maxWaitTime };

async function refused(code: string, call: Promise<unknown>): Promise<void> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof sdk.EC2ServiceException, `not refused with ${code}`);
  assert.equal(error.name, code);
  assert.ok(error.message !== '' && error.$metadata.requestId !== undefined);
}

async function begin(): Promise<void> {
  const key = await client.send(new sdk.CreateKeyPairCommand({ KeyName: 'day', KeyType: 'ed25519' }));
  assert.match(key.KeyMaterial ?? '', /PRIVATE KEY/);
  await refused('InvalidKeyPair.Duplicate', client.send(new sdk.CreateKeyPairCommand({ KeyName: 'day' })));
  await sdk.waitUntilImageAvailable(patient, { ImageIds: [image ?? ''] });
}

async function makeGroup(): Promise<string> {
  const group = await client.send(new sdk.CreateSecurityGroupCommand({ GroupName: 'day', Description: 'a day' }));
  const GroupId = group.GroupId ?? '';
  await sdk.waitUntilSecurityGroupExists(patient, { GroupIds: [GroupId] });
  const ssh = { IpProtocol: 'tcp', FromPort: 22, ToPort: 22, IpRanges: [{ CidrIp: '0.0.0.0/0' }] };
  await client.send(new sdk.AuthorizeSecurityGroupIngressCommand({ GroupId, IpPermissions: [ssh] }));
  return GroupId;
}

/** What real hosts can't do yet: refused, and nothing of it is there afterwards. */
async function without(): Promise<void> {
  const code = 'UnsupportedOperation';
  const { AvailabilityZones } = await client.send(new sdk.DescribeAvailabilityZonesCommand({}));
  const AvailabilityZone = AvailabilityZones?.[0]?.ZoneName;
  const InstanceType = 'm1.nano' as sdk._InstanceType;
  const one = { ImageId: image, MinCount: 1, MaxCount: 1, InstanceType };
  const grouped = { ...one, SecurityGroupIds: ['sg-0123456789abcdef0'] };
  await refused(code, client.send(new sdk.CreateSecurityGroupCommand({ GroupName: 'day', Description: 'a day' })));
  await refused(code, client.send(new sdk.AllocateAddressCommand({ Domain: 'vpc' })));
  await refused(code, client.send(new sdk.CreateVolumeCommand({ AvailabilityZone, Size: 1 })));
  await refused(code, client.send(new sdk.RunInstancesCommand(grouped)));
  const { SecurityGroups } = await client.send(new sdk.DescribeSecurityGroupsCommand({}));
  const { Addresses } = await client.send(new sdk.DescribeAddressesCommand({}));
  const { Volumes } = await client.send(new sdk.DescribeVolumesCommand({}));
  const { Reservations } = await client.send(new sdk.DescribeInstancesCommand({}));
  const made = [SecurityGroups, Addresses, Volumes, Reservations].flatMap((list) => list ?? []);
  assert.deepEqual(made, []);
}

async function run(group: string | undefined): Promise<string[]> {
  const asked: sdk.RunInstancesCommandInput = {
    ImageId: image,
    MinCount: 6,
    MaxCount: 6,
    // The types of Amazon are all that the SDK's own types know.
    InstanceType: 'm1.nano' as sdk._InstanceType,
    KeyName: 'day',
    ...(group !== undefined && { SecurityGroupIds: [group] }),
    TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'day', Value: 'first' }] }],
  };
  await refused('DryRunOperation', client.send(new sdk.RunInstancesCommand({ ...asked, DryRun: true })));
  const made = await client.send(new sdk.RunInstancesCommand(asked));
  const ids = (made.Instances ?? []).map(({ InstanceId }) => InstanceId ?? '').toSorted();
  assert.equal(ids.length, 6);
  await sdk.waitUntilInstanceRunning(patient, { InstanceIds: ids });
  await sdk.waitUntilInstanceStatusOk(patient, { InstanceIds: ids });
  return ids;
}

async function hear(InstanceId: string): Promise<void> {
  const deadline = performance.now() + maxWaitTime * 1000;
  for (;;) {
    const { Output = '' } = await client.send(new sdk.GetConsoleOutputCommand({ InstanceId, Latest: true }));
    const said = Buffer.from(Output, 'base64').toString();
    if (said !== '' && said.includes(says)) return;
    assert.ok(performance.now() < deadline, `the console says ${said}, must say ${says}`);
    await sleep(500);
  }
}

async function idsBy(Filters: sdk.Filter[]): Promise<string[][]> {
  const pages: string[][] = [];
  for await (const page of sdk.paginateDescribeInstances({ client, pageSize: 5 }, { Filters })) {
    const instances = (page.Reservations ?? []).flatMap((reservation) => reservation.Instances ?? []);
    pages.push(instances.map(({ InstanceId }) => InstanceId ?? ''));
  }
  return pages;
}

async function look(ids: readonly string[], first: string): Promise<void> {
  await client.send(new sdk.CreateTagsCommand({ Resources: [first], Tags: [{ Key: 'Name', Value: 'web-1' }] }));
  assert.deepEqual(await idsBy([{ Name: 'tag:Name', Values: ['web-?'] }]), [[first]]);
  const pages = await idsBy([{ Name: 'tag:day', Values: ['first'] }]);
  assert.deepEqual(
    pages.map((page) => page.length),
    [5, 1],
  );
  assert.deepEqual(pages.flat().toSorted(), ids);
  await hear(first);
  const nowhere = { InstanceIds: ['i-0123456789abcdef0'] };
  await refused('InvalidInstanceID.NotFound', client.send(new sdk.DescribeInstancesCommand(nowhere)));
}

async function instance(id: string): Promise<sdk.Instance> {
  const { Reservations } = await client.send(new sdk.DescribeInstancesCommand({ InstanceIds: [id] }));
  const found = Reservations?.[0]?.Instances?.[0];
  assert.ok(found !== undefined);
  return found;
}

async function disk(InstanceId: string): Promise<void> {
  const AvailabilityZone = (await instance(InstanceId)).Placement?.AvailabilityZone;
  const made = await client.send(new sdk.CreateVolumeCommand({ AvailabilityZone, Size: 1 }));
  const VolumeId = made.VolumeId ?? '';
  await sdk.waitUntilVolumeAvailable(patient, { VolumeIds: [VolumeId] });
  await client.send(new sdk.AttachVolumeCommand({ VolumeId, InstanceId, Device: '/dev/sdf' }));
  await sdk.waitUntilVolumeInUse(patient, { VolumeIds: [VolumeId] });
  const disks = (await instance(InstanceId)).BlockDeviceMappings ?? [];
  assert.deepEqual(
    disks.map(({ DeviceName, Ebs }) => [DeviceName, Ebs?.VolumeId]),
    [['/dev/sdf', VolumeId]],
  );
  assert.ok(disks[0]?.Ebs?.AttachTime instanceof Date);
  await client.send(new sdk.DetachVolumeCommand({ VolumeId }));
  await sdk.waitUntilVolumeAvailable(patient, { VolumeIds: [VolumeId] });
  await client.send(new sdk.DeleteVolumeCommand({ VolumeId }));
  await sdk.waitUntilVolumeDeleted(patient, { VolumeIds: [VolumeId] });
}

async function address(InstanceId: string): Promise<void> {
  const { AllocationId, PublicIp } = await client.send(new sdk.AllocateAddressCommand({ Domain: 'vpc' }));
  const tie = await client.send(new sdk.AssociateAddressCommand({ AllocationId, InstanceId }));
  assert.equal((await instance(InstanceId)).PublicIpAddress, PublicIp);
  await client.send(new sdk.DisassociateAddressCommand({ AssociationId: tie.AssociationId }));
  await client.send(new sdk.ReleaseAddressCommand({ AllocationId }));
}

async function end(ids: string[], first: string, GroupId: string | undefined): Promise<void> {
  const stopping = await client.send(new sdk.StopInstancesCommand({ InstanceIds: [first] }));
  assert.equal(stopping.StoppingInstances?.[0]?.PreviousState?.Name, 'running');
  await sdk.waitUntilInstanceStopped(patient, { InstanceIds: [first] });
  await client.send(new sdk.StartInstancesCommand({ InstanceIds: [first] }));
  await sdk.waitUntilInstanceRunning(patient, { InstanceIds: [first] });
  await client.send(new sdk.TerminateInstancesCommand({ InstanceIds: ids }));
  await sdk.waitUntilInstanceTerminated(patient, { InstanceIds: ids });
  if (GroupId !== undefined) await client.send(new sdk.DeleteSecurityGroupCommand({ GroupId }));
  const gone = await client.send(new sdk.DeleteKeyPairCommand({ KeyName: 'day' }));
  assert.equal(gone.Return, true);
}

await begin();
if (isReal) await without();
const group = isReal ? undefined : await makeGroup();
const ids = await run(group);
const [first = ''] = ids;
await look(ids, first);
if (!isReal) {
  await disk(first);
  await address(first);
}
await end(ids, first, group);
