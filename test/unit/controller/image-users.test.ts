import { expect, it } from 'vitest';
import { checkRecords } from '../../../src/domain/check-records.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import type { ImageRecord } from '../../../src/domain/records.ts';
import { ADMIN, startSimCloud, STRANGER } from '../../support/sim-cloud.ts';
import { until } from '../../support/until.ts';

const OWNER = { principal: { ...ADMIN.principal, roles: ['manager', 'member', 'sysadmin'] } };

it('[sim] an image that instances stand on is hidden at once, and goes with the last of them', async () => {
  const sim = await startSimCloud();
  try {
    const [image] = sim.store.range<ImageRecord>('image/');
    if (image === undefined) expect.fail('there is no image');
    const { id, blobKey, name } = image.value;
    await sim.call('ModifyImageAttribute', { ImageId: id, Public: true });
    await sim.store.txn({
      puts: [{ key: KEYS.project('other'), value: { v: 1, id: 'other', accountId: '123456789012', createdAtMs: 1 } }],
    });
    const first = (await sim.run({}, STRANGER)).instances[0]?.instanceId ?? '';
    const second = (await sim.run({}, STRANGER)).instances[0]?.instanceId ?? '';
    await sim.settled('running');
    const used = (await sim.call('DescribeQuotas', {})).quotas;
    const told = await sim.call('DeregisterImage', { ImageId: id }, OWNER);
    expect(told.usedBy).toBe('an instance of another project');
    expect(sim.store.get<ImageRecord>(KEYS.image(id))?.value.deregisteredAtMs).toBeTypeOf('number');
    for (const meta of [{}, OWNER, STRANGER])
      await expect(sim.call('DescribeImages', { ImageIds: [id] }, meta)).rejects.toMatchObject({
        code: 'InvalidAMIID.NotFound',
      });
    expect((await sim.call('DescribeImages', {})).images).toEqual([]);
    await expect(sim.run({ ImageId: id })).rejects.toMatchObject({ code: 'InvalidAMIID.NotFound' });
    await expect(sim.call('DeregisterImage', { ImageId: id })).rejects.toMatchObject({ code: 'InvalidAMIID.NotFound' });
    expect(used).not.toEqual((await sim.call('DescribeQuotas', {})).quotas);
    // The name is free; the same instances can be stopped and started again.
    await sim.addImage(name, Buffer.concat([bootable(), Buffer.alloc(512)]));
    await sim.call('StopInstances', { InstanceIds: [first] }, STRANGER);
    await sim.settled('stopped', [first]);
    await sim.call('StartInstances', { InstanceIds: [first] }, STRANGER);
    await sim.settled('running');
    await sim.call('TerminateInstances', { InstanceIds: [first] }, STRANGER);
    await sim.settled('terminated', [first]);
    expect(checkRecords(sim.store.range(''))).toEqual([]);
    expect(sim.store.get(KEYS.image(id))).toBeDefined();
    expect((await sim.cloud.blobs.head(blobKey)).key).toBe(blobKey);
    await sim.call('TerminateInstances', { InstanceIds: [second] }, STRANGER);
    await until(() => sim.store.get(KEYS.image(id)) === undefined, { what: 'the image is gone' });
    await until(async () => !(await sim.cloud.blobs.list('upload/')).some(({ key }) => key === blobKey), {
      what: 'its bytes are gone',
    });
    expect(checkRecords(sim.store.range(''))).toEqual([]);
  } finally {
    await sim.close();
  }
});

const bootable = (): Buffer => {
  const sector = Buffer.alloc(512);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
};

it('[sim] a kernel that an image of its project names stays', async () => {
  const sim = await startSimCloud();
  try {
    const kernel = await sim.addKernel('k');
    const BlobKey = await sim.upload(bootable());
    const made = await sim.call('RegisterImage', { Name: 'm', Kind: 'machine', BlobKey, KernelId: kernel });
    const { imageId } = made.image;
    await expect(sim.call('DeregisterImage', { ImageId: kernel })).rejects.toMatchObject({
      code: 'InvalidAMIID.InUse',
      details: { usedBy: `image m (${imageId})` },
    });
    const theirs = sim.store.get<ImageRecord>(KEYS.image(imageId))?.value;
    if (theirs === undefined) expect.fail('there is no image');
    const { instances } = await sim.run({ ImageId: imageId });
    await sim.settled('running');
    const gone = await sim.call('DeregisterImage', { ImageId: imageId });
    expect(gone.usedBy).toBe(instances[0]?.instanceId);
    // No image that anybody can find needs the kernel now.
    expect((await sim.call('DeregisterImage', { ImageId: kernel })).usedBy).toBe(instances[0]?.instanceId);
    await sim.call('TerminateInstances', { InstanceIds: instances.map(({ instanceId }) => instanceId) });
    await until(() => [kernel, imageId].every((id) => sim.store.get(KEYS.image(id)) === undefined), {
      what: 'both are gone',
    });
    expect(checkRecords(sim.store.range(''))).toEqual([]);
  } finally {
    await sim.close();
  }
});

it("[sim] a kernel that images of another project name is its owner's to remove, and goes with the last of them", async () => {
  const sim = await startSimCloud();
  try {
    await sim.store.txn({
      puts: [{ key: KEYS.project('other'), value: { v: 1, id: 'other', accountId: '123456789012', createdAtMs: 1 } }],
    });
    const kernel = await sim.addKernel('k');
    const BlobKey = await sim.upload(bootable());
    const made = await sim.call('RegisterImage', { Name: 'm', Kind: 'machine', BlobKey, KernelId: kernel });
    const SourceImageId = made.image.imageId;
    await sim.call('ModifyImageAttribute', { ImageId: SourceImageId, Public: true });
    const copy = await sim.call('CopyImage', { SourceImageId, Name: 'theirs' }, STRANGER);
    const ImageId = copy.image.imageId;
    await sim.call('DeregisterImage', { ImageId: SourceImageId }, OWNER);
    const told = await sim.call('DeregisterImage', { ImageId: kernel }, OWNER);
    expect(told.usedBy).toBe('an image of another project');
    // Nobody finds the kernel any more, and what was made of it still starts.
    await expect(sim.call('DescribeImages', { ImageIds: [kernel] }, OWNER)).rejects.toMatchObject({
      code: 'InvalidAMIID.NotFound',
    });
    const { instances } = await sim.run({ ImageId }, STRANGER);
    await sim.settled('running');
    await sim.call('TerminateInstances', { InstanceIds: instances.map(({ instanceId }) => instanceId) }, STRANGER);
    await sim.settled('terminated');
    expect(sim.store.get(KEYS.image(kernel))).toBeDefined();
    await sim.call('DeregisterImage', { ImageId }, STRANGER);
    await until(() => sim.store.get(KEYS.image(kernel)) === undefined, { what: 'the kernel is gone' });
    expect(checkRecords(sim.store.range(''))).toEqual([]);
  } finally {
    await sim.close();
  }
});
