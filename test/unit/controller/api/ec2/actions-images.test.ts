import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { xmlFind, xmlText, type XmlElement } from '../../../../../src/base/xml.ts';
import { checkRecords } from '../../../../../src/domain/check-records.ts';
import type { ImageRecord } from '../../../../../src/domain/records.ts';
import { KEYS } from '../../../../../src/domain/keys.ts';
import { Ec2Cloud } from '../../../../support/ec2-cloud.ts';
import { bootSector } from '../../../../support/sim-cloud.ts';

let cloud: Ec2Cloud;
let ami: string;
let account: string;
beforeAll(async () => {
  cloud = await Ec2Cloud.start();
  const [image] = items(await ok('DescribeImages', { 'Owner.1': 'self' }), 'imagesSet');
  ami = (image && xmlText(image, 'imageId')) ?? '';
  account = (image && xmlText(image, 'imageOwnerId')) ?? '';
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
const names = async (asked: Asked): Promise<string[]> =>
  items(await ok('DescribeImages', asked), 'imagesSet').map((image) => xmlText(image, 'name') ?? '');

/** Somebody of another project, who may use what it has. */
const OTHER = {
  principal: {
    name: 'bob',
    projectId: 'other',
    roles: ['developer', 'member', 'sysadmin'],
    from: 'test',
    ownProjectOnly: true,
  },
};

describe('images', () => {
  it('[sim] are registered of bytes that were sent, with what is said of them', async () => {
    const ImageLocation = await cloud.sim.upload(bootSector());
    const asked = {
      ...{ Name: 'ubuntu/images/hvm-ssd (1)', ImageLocation, Architecture: 'arm64', Description: 'for tests' },
      ...{ RootDeviceName: '/dev/sda1', VirtualizationType: 'hvm' },
      ...{ 'TagSpecification.1.ResourceType': 'image', 'TagSpecification.1.Tag.1.Key': 'a' },
    };
    const imageId = xmlText(await ok('RegisterImage', asked), 'imageId') ?? '';
    const [image] = items(await ok('DescribeImages', { 'ImageId.1': imageId }), 'imagesSet');
    const told = (name: string): string | undefined => image && xmlText(image, name);
    expect(['name', 'description', 'architecture', 'rootDeviceName', 'imageState', 'imageType'].map(told)).toEqual([
      ...['ubuntu/images/hvm-ssd (1)', 'for tests', 'arm64', '/dev/sda1', 'available', 'machine'],
    ]);
    expect(await names({ 'Filter.1.Name': 'name', 'Filter.1.Value.1': 'ubuntu/images/*' })).toHaveLength(1);
    expect(await names({ 'Filter.1.Name': 'tag-key', 'Filter.1.Value.1': 'a' })).toHaveLength(1);
    await ok('DeregisterImage', { ImageId: imageId });
    expect(await refused('DescribeImages', { 'ImageId.1': imageId })).toBe('InvalidAMIID.NotFound');
    expect(cloud.sim.store.get(KEYS.tags(imageId))).toBeUndefined();
    const bucket = { Name: 'other', ImageLocation: 'bucket/image.manifest.xml' };
    expect(await refused('RegisterImage', bucket)).toBe('InvalidManifest');
  });

  it('[sim] have the id that a cloudadmin gives, once', async () => {
    const register = async (Name: string, meta = {}) => {
      const BlobKey = await cloud.sim.upload(bootSector());
      return cloud.sim.call('RegisterImage', { Name, Kind: 'machine', BlobKey, ImageId: 'ami-1a2b3c4d' }, meta);
    };
    await expect(register('given', OTHER)).rejects.toMatchObject({ code: 'UnauthorizedOperation' });
    expect((await register('given')).image.imageId).toBe('ami-1a2b3c4d');
    await expect(register('again')).rejects.toMatchObject({ code: 'AlreadyExists' });
    expect(await names({ 'ImageId.1': 'ami-1a2b3c4d' })).toEqual(['given']);
    const BlobKey = await cloud.sim.upload(bootSector());
    const wrong = { Name: 'kernel', Kind: 'machine' as const, BlobKey, ImageId: 'aki-1a2b3c4d' };
    await expect(cloud.sim.call('RegisterImage', wrong)).rejects.toThrow('begins with ami-');
  });

  it('[sim] of instances and copies are records over the same bytes', async () => {
    const run = { ImageId: ami, MinCount: '1', MaxCount: '1', InstanceType: 'm1.nano' };
    const [instance] = items(await ok('RunInstances', run), 'instancesSet');
    const id = (instance && xmlText(instance, 'instanceId')) ?? '';
    await cloud.sim.settled('running', [id]);
    const made = xmlText(await ok('CreateImage', { InstanceId: id, Name: 'made' }), 'imageId') ?? '';
    const copy = { SourceImageId: made, SourceRegion: 'nova', Name: 'copy' };
    const copied = xmlText(await ok('CopyImage', copy), 'imageId') ?? '';
    const blob = (imageId: string) => cloud.sim.store.get<ImageRecord>(KEYS.image(imageId))?.value.blobKey;
    expect(new Set([blob(ami), blob(made), blob(copied)]).size).toBe(1);
    expect(await refused('CopyImage', copy)).toBe('InvalidAMIName.Duplicate');
    expect(await refused('CopyImage', { ...copy, SourceRegion: 'mars', Name: 'x' })).toBe('UnsupportedOperation');
    await ok('DeregisterImage', { ImageId: made });
    // Its bytes are still the copy's.
    await ok('RunInstances', { ...run, ImageId: copied });
    await cloud.sim.settled('running');
    await ok('TerminateInstances', { 'InstanceId.1': id });
    expect(await refused('CreateImage', { InstanceId: id, Name: 'late' })).toBe('IncorrectInstanceState');
    await cloud.sim.settled('terminated', [id]);
  });

  it('[sim] may be started by whom their owner says', async () => {
    const visible = async () =>
      (await cloud.sim.call('DescribeImages', { ImageIds: [ami] }, OTHER)).images.map(({ imageId }) => imageId);
    await expect(visible()).rejects.toMatchObject({ code: 'InvalidAMIID.NotFound' });
    await cloud.sim.call('CreateProject', { ProjectId: 'other', Manager: 'admin' });
    await cloud.sim.call('ModifyImageAttribute', { ImageId: ami, AddProjects: ['other'] });
    expect(await visible()).toEqual([ami]);
    const change = cloud.sim.call('ModifyImageAttribute', { ImageId: ami, Public: true }, OTHER);
    await expect(change).rejects.toMatchObject({ code: 'UnauthorizedOperation' });
    await ok('ResetImageAttribute', { ImageId: ami, Attribute: 'launchPermission' });
    await expect(visible()).rejects.toMatchObject({ code: 'InvalidAMIID.NotFound' });
    await ok('ModifyImageAttribute', {
      ImageId: ami,
      'LaunchPermission.Add.1.Group': 'all',
      'LaunchPermission.Add.2.UserId': account,
    });
    expect(await visible()).toEqual([ami]);
    const shown = await ok('DescribeImageAttribute', { ImageId: ami, Attribute: 'launchPermission' });
    expect(items(shown, 'launchPermission').map((one) => xmlText(one, 'group') ?? xmlText(one, 'userId'))).toEqual([
      'all',
      account,
    ]);
    expect(await names({ 'ExecutableBy.1': 'all' })).toEqual(['still']);
    await ok('ModifyImageAttribute', { ImageId: ami, OperationType: 'remove', 'UserGroup.1': 'all' });
    expect(await names({ 'ExecutableBy.1': 'all' })).toEqual([]);
    const nobody = { ImageId: ami, 'LaunchPermission.Add.1.UserId': '000000000000' };
    expect(await refused('ModifyImageAttribute', nobody)).toBe('InvalidAMIAttributeItemValue');
    expect(await names({ 'Owner.1': 'amazon' })).toEqual([]);
    expect((await names({ 'Owner.1': account })).length).toBeGreaterThan(0);
  });
});

describe('key pairs', () => {
  it('[sim] are made, imported, described and deleted, by name and id', async () => {
    const made = await ok('CreateKeyPair', { KeyName: 'my key', KeyType: 'ed25519' });
    expect(xmlText(made, 'keyMaterial')).toContain('OPENSSH PRIVATE KEY');
    const id = xmlText(made, 'keyPairId') ?? '';
    expect(await refused('CreateKeyPair', { KeyName: 'my key' })).toBe('InvalidKeyPair.Duplicate');
    const { keyPairs } = await cloud.sim.call('DescribeKeyPairs', { KeyPairIds: [id] });
    const line = Buffer.from(keyPairs[0]?.publicKey ?? '').toString('base64');
    const imported = await ok('ImportKeyPair', { KeyName: 'other', PublicKeyMaterial: line });
    expect(xmlText(imported, 'keyFingerprint')).toBe(xmlText(made, 'keyFingerprint'));
    expect(await refused('ImportKeyPair', { KeyName: 'bad', PublicKeyMaterial: 'bm8=' })).toBe('InvalidKey.Format');
    const filter = { 'Filter.1.Name': 'key-name', 'Filter.1.Value.1': 'my*' };
    const [row] = items(await ok('DescribeKeyPairs', { ...filter, IncludePublicKey: 'true' }), 'keySet');
    expect(row && [xmlText(row, 'keyType'), xmlText(row, 'publicKey')?.split(' ')[0]]).toEqual([
      'ed25519',
      'ssh-ed25519',
    ]);
    await ok('DeleteKeyPair', { KeyPairId: id });
    await ok('DeleteKeyPair', { KeyName: 'my key' });
    expect(await refused('DescribeKeyPairs', { 'KeyName.1': 'my key' })).toBe('InvalidKeyPair.NotFound');
    expect(await refused('CreateKeyPair', { KeyName: 'x', KeyFormat: 'ppk' })).toBe('UnsupportedOperation');
    const tagged = { 'TagSpecification.1.ResourceType': 'instance', 'TagSpecification.1.Tag.1.Key': 'a' };
    expect(await refused('CreateKeyPair', { KeyName: 'x', ...tagged })).toBe('UnsupportedOperation');
  });
});

describe('regions, zones and the account', () => {
  it('[sim] are described, and what there is not is refused', async () => {
    expect(items(await ok('DescribeRegions'), 'regionInfo').map((one) => xmlText(one, 'regionName'))).toEqual(['nova']);
    expect(await refused('DescribeRegions', { 'RegionName.1': 'mars' })).toBe('InvalidParameterValue');
    const [zone] = items(await ok('DescribeAvailabilityZones', { 'ZoneName.1': 'nova' }), 'availabilityZoneInfo');
    expect(zone && [xmlText(zone, 'zoneState'), xmlText(zone, 'regionName')]).toEqual(['available', 'nova']);
    const attributes = await ok('DescribeAccountAttributes', { 'AttributeName.1': 'default-vpc' });
    const [vpc] = items(attributes, 'accountAttributeSet');
    expect(vpc && xmlText(items(vpc, 'attributeValueSet')[0] ?? vpc, 'attributeValue')).toMatch(/^vpc-[0-9a-f]{17}$/);
  });

  it('[sim] leave records that add up', () => {
    expect(checkRecords(cloud.sim.store.range(''))).toEqual([]);
  });
});
