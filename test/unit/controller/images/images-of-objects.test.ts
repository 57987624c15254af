import { generateKeyPairSync } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AccessKey } from '../../../../src/base/signature/sign-request.ts';
import { xmlFind, xmlText } from '../../../../src/base/xml.ts';
import { checkRecords } from '../../../../src/domain/check-records.ts';
import { openBundleAt, openObject, pinned, sourceAt } from '../../../../src/controller/images/image-source.ts';
import type { ImageImportRecord, PinnedObject } from '../../../../src/domain/image-import.ts';
import type { ImageRecord } from '../../../../src/domain/records.ts';
import { KEYS, PREFIX } from '../../../../src/domain/keys.ts';
import { Ec2Cloud, type Ec2Reply } from '../../../support/ec2-cloud.ts';
import { watchFor } from '../../../support/canaries.ts';
import { bucketSample, md5, put } from '../../../support/object-samples.ts';
import { bootSector } from '../../../support/sim-cloud.ts';
import { until } from '../../../support/until.ts';

let cloud: Ec2Cloud;
let bob: AccessKey;
let eve: AccessKey;
let mia: AccessKey;
beforeAll(async () => {
  cloud = await Ec2Cloud.start();
  const store = await cloud.sim.cloud.objects?.store();
  if (store === undefined) throw new Error('there are no objects');
  bob = await member('bob', 'lab');
  eve = await member('eve', 'shop');
  mia = await member('mia', 'third');
  await store.createBucket(bucketSample('disks', { projectId: 'lab' }));
  await put(store, 'disks', 'a/boot.raw', bootSector());
  await put(store, 'disks', 'cut.raw', 'x'.repeat(700));
  await put(store, 'disks', 'web.manifest.xml', '<!DOCTYPE x [<!ENTITY a "a">]><manifest>&a;</manifest>');
});
afterAll(() => cloud.close());

async function member(user: string, project: string): Promise<AccessKey> {
  const { sim } = cloud;
  await sim.call('CreateUser', { UserName: user });
  await sim.call('CreateProject', { ProjectId: project, Manager: 'admin', Members: [user] });
  await sim.call('AddRole', { UserName: user, ProjectId: project, Role: 'sysadmin' });
  const made = await sim.call('CreateAccessKey', { UserName: user, ProjectId: project });
  return {
    accessKeyId: made.accessKey.accessKeyId,
    secretAccessKey: watchFor('secret access key', made.secretAccessKey),
  };
}

/** The number by which EC2's clients know a project. */
async function accountOf(projectId: string): Promise<string> {
  const { projects } = await cloud.sim.call('DescribeProjects', { ProjectIds: [projectId] });
  return projects[0]?.accountId ?? `no project ${projectId}`;
}

const refusal = ({ status, code }: Ec2Reply): string => `${status} ${code}`;
const idIn = (reply: Ec2Reply): string =>
  xmlText(reply.xml, 'imageId') ?? `${reply.status} ${reply.code} ${reply.message}`;

/** One image, as EC2 tells it. */
async function shown(id: string, key: AccessKey) {
  const reply = await cloud.ask('DescribeImages', { 'ImageId.1': id }, key);
  const [image] = xmlFind(reply.xml, 'imagesSet')?.children ?? [];
  return (name: string): string | undefined => (image === undefined ? reply.code : xmlText(image, name));
}

const settled = (id: string, key: AccessKey) =>
  until(async () => (await shown(id, key))('imageState') !== 'pending', { what: `${id} is settled`, everyMs: 5 });
const run = (ImageId: string, key: AccessKey): Promise<Ec2Reply> =>
  cloud.ask('RunInstances', { ImageId, MinCount: '1', MaxCount: '1', InstanceType: 'm1.nano' }, key);

describe('images of objects [sim]', () => {
  it('are registered however their place is written, and started', async () => {
    const places = ['disks/a/boot.raw', '/disks/a/boot.raw', 's3://disks/a/boot.raw'];
    for (const [index, ImageLocation] of places.entries()) {
      const id = idIn(await cloud.ask('RegisterImage', { Name: `web-${index}`, ImageLocation }, bob));
      expect(id).toMatch(/^ami-/);
      await settled(id, bob);
      const image = await shown(id, bob);
      expect([image('imageState'), image('imageLocation')]).toEqual(['available', 'disks/a/boot.raw']);
      expect(refusal(await run(id, bob))).toBe('200 ');
    }
    await cloud.sim.settled('running');
    expect(checkRecords(cloud.sim.store.range(''))).toEqual([]);
  });

  it('are made of the bytes that were looked at: of that version, or not at all', async () => {
    const { context, objects } = cloud.sim.cloud;
    const store = await objects?.store();
    if (store === undefined) expect.fail('there are no objects');
    await store.createBucket(bucketSample('kept', { projectId: 'lab', versioning: 'enabled' }));
    const asker = { name: 'bob', userName: 'bob', projectId: 'lab', roles: ['member', 'sysadmin'] };
    const look = async (location: string) =>
      pinned(sourceAt(location), await openObject(context, asker, sourceAt(location)));
    const read = async (source: PinnedObject) => buffer(await (await openObject(context, asker, source)).read());
    const first = await put(store, 'kept', 'disk', 'first');
    const kept = await look('kept/disk');
    expect(kept).toMatchObject({ versionId: first.versionId, etag: first.etag });
    await put(store, 'kept', 'disk', 'second');
    expect((await read(kept)).toString()).toBe('first');
    await store.removeObject('kept', 'disk');
    expect((await read(kept)).toString()).toBe('first');
    await store.removeObject('kept', 'disk', { versionId: first.versionId });
    await expect(read(kept)).rejects.toMatchObject({ code: 'InvalidManifest', message: /of the version/ });
    await put(store, 'disks', 'plain', 'first');
    const plain = await look('disks/plain');
    await put(store, 'disks', 'plain', 'other');
    await expect(read(plain)).rejects.toMatchObject({ code: 'InvalidManifest', message: /another object now/ });
    await put(store, 'disks', 'plain', 'first');
    expect((await read(plain)).toString()).toBe('first');
    // What bundles are encrypted for is made with the first certificate.
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 3072 });
    const PublicKey = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    await cloud.sim.call('CreateUserCertificate', { PublicKey, LifeDays: 30 });
    await put(store, 'disks', 'mine.manifest.xml', '<manifest/>');
    const manifest = await look('disks/mine.manifest.xml');
    await expect(openBundleAt(context, asker, manifest)).rejects.toThrow(/the bundle /);
    await put(store, 'disks', 'mine.manifest.xml', '<manifest></manifest>');
    await expect(openBundleAt(context, asker, manifest)).rejects.toThrow(/another object now/);
  });

  it('are pinned when they are registered', async () => {
    const { store } = cloud.sim;
    const sources: unknown[] = [];
    const watch = store.watch(PREFIX.imageImport, store.rev + 1, ({ ops }) => {
      for (const { key } of ops) sources.push(store.get<ImageImportRecord>(key)?.value.source);
    });
    const id = idIn(await cloud.ask('RegisterImage', { Name: 'pinned', ImageLocation: 'disks/a/boot.raw' }, bob));
    await settled(id, bob);
    watch.close();
    expect(sources[0]).toMatchObject({ kind: 'object', versionId: 'null', etag: md5(bootSector()) });
  });

  it('are refused at once where the object is not there or may not be read', async () => {
    const ask = (ImageLocation: string, key = bob) => cloud.ask('RegisterImage', { Name: 'x', ImageLocation }, key);
    expect(refusal(await ask('disks/none'))).toBe('400 InvalidManifest');
    expect(refusal(await ask('nowhere/none'))).toBe('400 InvalidManifest');
    expect(refusal(await ask('disks/a/boot.raw', eve))).toBe('401 AuthFailure');
    expect(refusal(await ask('disks/web.manifest.xml'))).toBe('400 InvalidManifest');
    expect(refusal(await ask('no-bucket-here'))).toBe('400 InvalidParameterValue');
    expect(refusal(await cloud.ask('RegisterImage', { Name: 'x' }, bob))).toBe('400 MissingParameter');
    const both = {
      Name: 'x',
      Kind: 'machine' as const,
      Location: 'disks/a/boot.raw',
      SnapshotId: 'snap-0123456789abcdef0',
    };
    await expect(cloud.sim.call('RegisterImage', both)).rejects.toMatchObject({ code: 'InvalidParameterCombination' });
    const snapshot = { Name: 'x', Kind: 'machine' as const, SnapshotId: 'snap-0123456789abcdef0' };
    await expect(cloud.sim.call('RegisterImage', snapshot)).rejects.toMatchObject({ code: 'UnsupportedOperation' });
  });

  it('fail with the reason, are seen by their owner alone, and can not be started', async () => {
    const id = idIn(await cloud.ask('RegisterImage', { Name: 'cut', ImageLocation: 'disks/cut.raw' }, bob));
    await settled(id, bob);
    const image = await shown(id, bob);
    expect(image('imageState')).toBe('failed');
    const record = cloud.sim.store.get<ImageRecord>(KEYS.image(id))?.value;
    expect(record?.stateReason).toMatchObject({ code: 'InvalidImage.Format' });
    const { text } = await cloud.ask('DescribeImages', { 'ImageId.1': id }, bob);
    expect(text).toMatch(/<stateReason><code>Client\.InvalidParameterValue<\/code><message>[^<]+<\/message>/);
    expect(refusal(await run(id, bob))).toBe('400 InvalidAMIID.Unavailable');
    await cloud.ask('ModifyImageAttribute', { ImageId: id, 'LaunchPermission.Add.1.Group': 'all' }, bob);
    expect((await shown(id, eve))('imageState')).toBe('InvalidAMIID.NotFound');
    expect(refusal(await cloud.ask('DeregisterImage', { ImageId: id }, bob))).toBe('200 ');
    expect((await shown(id, bob))('imageState')).toBe('InvalidAMIID.NotFound');
  });

  it('are started by the project that they are shared with, and by no other', async () => {
    const id = idIn(await cloud.ask('RegisterImage', { Name: 'shared', ImageLocation: 'disks/a/boot.raw' }, bob));
    await settled(id, bob);
    expect(refusal(await run(id, eve))).toBe('400 InvalidAMIID.NotFound');
    const permit = (how: 'Add' | 'Remove', key = bob): Promise<Ec2Reply> =>
      cloud.ask('ModifyImageAttribute', { ImageId: id, [`LaunchPermission.${how}.1.UserId`]: shop }, key);
    const shop = await accountOf('shop');
    expect(refusal(await permit('Add', eve))).toBe('400 InvalidAMIID.NotFound');
    expect(refusal(await permit('Add'))).toBe('200 ');
    const { text } = await cloud.ask('DescribeImageAttribute', { ImageId: id, Attribute: 'launchPermission' }, bob);
    expect(text).toContain(`<userId>${shop}</userId>`);
    expect(refusal(await run(id, eve))).toBe('200 ');
    const asked = { 'ExecutableBy.1': 'self' };
    expect((await cloud.ask('DescribeImages', asked, eve)).text).toContain(id);
    expect((await cloud.ask('DescribeImages', asked, mia)).text).not.toContain(id);
    expect(refusal(await run(id, mia))).toBe('400 InvalidAMIID.NotFound');
    expect((await shown(id, mia))('imageState')).toBe('InvalidAMIID.NotFound');
    expect(refusal(await cloud.ask('DeregisterImage', { ImageId: id }, eve))).toBe('403 UnauthorizedOperation');
    expect(refusal(await permit('Remove'))).toBe('200 ');
    expect(refusal(await run(id, eve))).toBe('400 InvalidAMIID.NotFound');
  });

  it('that are deprecated are listed to their owner and to who asks for them', async () => {
    const id = idIn(await cloud.ask('RegisterImage', { Name: 'old', ImageLocation: 'disks/a/boot.raw' }, bob));
    await settled(id, bob);
    await cloud.ask('ModifyImageAttribute', { ImageId: id, 'LaunchPermission.Add.1.Group': 'all' }, bob);
    const lists = async (key: AccessKey, asked = {}): Promise<boolean> =>
      (await cloud.ask('DescribeImages', asked, key)).text.includes(id);
    expect(await lists(eve)).toBe(true);
    const at = new Date(cloud.sim.clock.nowMs()).toISOString();
    expect(refusal(await cloud.ask('EnableImageDeprecation', { ImageId: id, DeprecateAt: at }, bob))).toBe('200 ');
    expect((await shown(id, bob))('deprecationTime')).toBe(at);
    expect([await lists(eve), await lists(eve, { IncludeDeprecated: 'true' }), await lists(bob)]).toEqual([
      ...[false, true, true],
    ]);
    expect(refusal(await run(id, eve))).toBe('200 ');
    for (const DeprecateAt of ['yesterday', '1999-01-01T00:00:00Z', '9999-01-01T00:00:00Z']) {
      const bad = await cloud.ask('EnableImageDeprecation', { ImageId: id, DeprecateAt }, bob);
      expect(refusal(bad)).toBe('400 InvalidParameterValue');
    }
    expect(refusal(await cloud.ask('DisableImageDeprecation', { ImageId: id }, bob))).toBe('200 ');
    expect(await lists(eve)).toBe(true);
  });
});
