import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CallMeta } from '../../../src/controller/operations/handler.ts';
import { ADMIN, type SimCloud, startSimCloud, STRANGER } from '../../support/sim-cloud.ts';

const as = (projectId: string): Partial<CallMeta> => ({
  principal: { ...ADMIN.principal, name: projectId, projectId, roles: ['manager', 'member', 'sysadmin'] },
});
const OWNER = as('admin');

let sim: SimCloud;
beforeAll(async () => {
  sim = await startSimCloud();
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
  const { image } = await sim.call('ModifyImageAttribute', { ImageId, AddProjects: ['web', 'web@eu-1'] });
  expect(image.launchProjects).toEqual(['web', 'web@eu-1']);
});

function bootable(): Buffer {
  const sector = Buffer.alloc(512);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}
