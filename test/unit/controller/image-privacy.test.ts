import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallMeta } from '../../../src/controller/operations/handler.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import type { ImageRecord } from '../../../src/domain/records.ts';
import { bucketSample, put } from '../../support/object-samples.ts';
import { ADMIN, type SimCloud, startSimCloud, STRANGER } from '../../support/sim-cloud.ts';
import { until } from '../../support/until.ts';

const as = (projectId: string): Partial<CallMeta> => ({
  principal: { ...ADMIN.principal, name: projectId, projectId, roles: ['manager', 'member', 'sysadmin'] },
});
const OWNER = as('admin');

let sim: SimCloud;
beforeAll(async () => {
  sim = await startSimCloud();
  for (const id of ['partner', 'other', 'web'])
    await sim.store.txn({
      puts: [{ key: KEYS.project(id), value: { v: 1, id, accountId: '123456789012', createdAtMs: 1 } }],
    });
});
afterAll(() => sim.close());

async function namesSeen(meta: Partial<CallMeta>, input: object): Promise<string[]> {
  const { images } = await sim.call('DescribeImages', input, meta);
  return images.map(({ name }) => name);
}

describe('[sim] of an image that everybody may start', () => {
  it('neither its tags nor who else may start it can be found out by asking for them', async () => {
    const Tags = { customer: 'acme' };
    const BlobKey = await sim.upload(bootable());
    const { image } = await sim.call('RegisterImage', { Name: 'open', Kind: 'machine', BlobKey, Tags }, OWNER);
    const ImageId = image.imageId;
    await sim.call('ModifyImageAttribute', { ImageId, Public: true, AddProjects: ['partner', 'other'] }, OWNER);
    const asked = [
      { Filters: [{ Name: 'tag:customer', Values: ['a*'] }] },
      { Filters: [{ Name: 'tag-key', Values: ['customer'] }] },
      { ImageIds: [ImageId], Filters: [{ Name: 'tag-value', Values: ['*'] }] },
      { ExecutableBy: ['partner'] },
    ];
    for (const input of asked) {
      expect(await namesSeen(OWNER, input), JSON.stringify(input)).toEqual(['open']);
      expect(await namesSeen(STRANGER, input), JSON.stringify(input)).toEqual([]);
    }
    // What it may know: that it may start it itself, and that everybody may.
    for (const who of ['self', 'other', 'all'])
      expect(await namesSeen(STRANGER, { ExecutableBy: [who] }), who).toEqual(['open']);
  });
});

describe('[sim] an image that is named as the id of another', () => {
  it('is not taken for it when that is gone, or may not be seen', async () => {
    const first = await sim.addImage('first', bootable());
    const BlobKey = await sim.upload(bootable());
    const { image } = await sim.call('RegisterImage', { Name: first, Kind: 'machine', BlobKey }, as('mallory'));
    await sim.call('ModifyImageAttribute', { ImageId: image.imageId, Public: true }, as('mallory'));
    const gone = { code: 'InvalidAMIID.NotFound' };
    await expect(sim.run({ ImageId: first }, STRANGER)).rejects.toMatchObject(gone);
    await sim.call('DeregisterImage', { ImageId: first }, OWNER);
    await expect(sim.run({ ImageId: first }, OWNER)).rejects.toMatchObject(gone);
    await expect(sim.call('DeregisterImage', { ImageId: first }, as('mallory'))).rejects.toMatchObject(gone);
    expect(await namesSeen(as('mallory'), { ImageIds: [image.imageId] })).toEqual([first]);
  });
});

it('[sim] who may start an image is said by names that a project can have', async () => {
  const ImageId = await sim.addImage('shared', bootable());
  for (const name of ['', 'x'.repeat(100_000), 'a b', 'web@'])
    await expect(sim.call('ModifyImageAttribute', { ImageId, AddProjects: [name] })).rejects.toMatchObject({
      code: 'InvalidParameterValue',
      message: expect.stringContaining('AddProjects') as string,
    });
  // A typing error is nobody's permission, nor that of who makes such a project one day.
  for (const name of ['wbe', 'wbe@eu-1'])
    await expect(sim.call('ModifyImageAttribute', { ImageId, AddProjects: ['web', name] })).rejects.toMatchObject({
      code: 'InvalidAMIAttributeItemValue',
      message: `AddProjects: there is no project ${name}; see "novactl project list"`,
    });
  const { image } = await sim.call('ModifyImageAttribute', { ImageId, AddProjects: ['web', 'web@eu-1'] });
  expect(image.launchProjects).toEqual(['web', 'web@eu-1']);
});

it('[sim] what its owner should know of an image is told once, however it came', async () => {
  const NO_BOOT = /^no partition table/;
  const BlobKey = await sim.upload(Buffer.alloc(512));
  const { image } = await sim.call('RegisterImage', { Name: 'sent', Kind: 'machine', BlobKey });
  expect(image.notes).toEqual([expect.stringMatching(NO_BOOT)]);
  const store = await sim.cloud.objects?.store();
  if (store === undefined) expect.fail('there are no objects');
  await store.createBucket(bucketSample('disks'));
  await put(store, 'disks', 'still.raw', Buffer.alloc(512));
  const made = await sim.call('RegisterImage', { Name: 'read', Kind: 'machine', Location: 'disks/still.raw' });
  const record = () => sim.store.get<ImageRecord>(KEYS.image(made.image.imageId))?.value;
  await until(() => record()?.state === undefined, { what: 'the image is made' });
  expect(record()?.notes).toEqual([expect.stringMatching(NO_BOOT)]);
});

function bootable(): Buffer {
  const sector = Buffer.alloc(512);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}
