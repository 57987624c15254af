import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openObjectStore } from '../../../../src/adapters/objects/object-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import { createLocalImageObjects } from '../../../../src/controller/objects/image-objects.ts';
import type { ImageAsker } from '../../../../src/domain/image-import.ts';
import type { ImageObjects } from '../../../../src/ports/image-objects.ts';
import type { ObjectStore } from '../../../../src/ports/object-store.ts';
import { bucketSample, put } from '../../../support/object-samples.ts';

let dir: string;
let store: ObjectStore;
let images: ImageObjects;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-image-objects-'));
  const parts = { clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger };
  store = await openObjectStore({ dir, ...parts });
  const accounts = {
    accountOf: (id: string) => (id === 'p-2' ? '222222222222' : undefined),
    projectOf: () => undefined,
  };
  images = createLocalImageObjects({
    store: () => Promise.resolve(store),
    accounts: () => Promise.resolve(accounts),
  });
  await store.createBucket(bucketSample('disks', { versioning: 'enabled' }));
});
afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true, force: true });
});

const owner: ImageAsker = { name: 'ann/K1', userName: 'ann', projectId: 'p-1', roles: ['member'] };
const stranger: ImageAsker = { name: 'bob/K2', userName: 'bob', projectId: 'p-2', roles: ['cloudadmin', 'member'] };
/** As the socket has it. */
const machine: ImageAsker = { name: 'root@socket', projectId: 'admin', roles: ['cloudadmin'] };
const disk = { bucket: 'disks', key: 'a.raw' };

describe('objects that images are made of', () => {
  it('are read as they were when they were opened, whatever becomes of the key', async () => {
    await put(store, 'disks', 'a.raw', 'the first bytes');
    const object = await images.open(owner, disk);
    expect(object).toMatchObject({ sizeBytes: 15, etag: expect.stringMatching(/^[0-9a-f]{32}$/) as string });
    await put(store, 'disks', 'a.raw', 'others');
    expect(await text(await object.read())).toBe('the first bytes');
    expect(await text(await object.read({ start: 4, end: 9 }))).toBe('first');
    expect(await text(await (await images.open(owner, disk)).read())).toBe('others');
  });

  it('can be named by a version', async () => {
    const { versionId } = await put(store, 'disks', 'a.raw', 'one');
    await put(store, 'disks', 'a.raw', 'two');
    expect(await text(await (await images.open(owner, { ...disk, versionId })).read())).toBe('one');
  });

  it('are the owner’s, until a policy or a grant says more', async () => {
    await put(store, 'disks', 'a.raw', 'bytes');
    await expect(images.open(stranger, disk)).rejects.toMatchObject({ code: 'AccessDenied' });
    const Statement = [
      { Effect: 'Allow', Principal: { AWS: '222222222222' }, Action: 's3:GetObject', Resource: 'arn:aws:s3:::disks/*' },
    ];
    const policy = JSON.stringify({ Version: '2012-10-17', Statement });
    await store.updateBucket('disks', (bucket) => ({ ...bucket, policy }));
    expect(await text(await (await images.open(stranger, disk)).read())).toBe('bytes');
  });

  it('are all readable for the administrator of the machine, who is no user; a cloudadmin with a key is one', async () => {
    await put(store, 'disks', 'a.raw', 'bytes');
    expect(await text(await (await images.open(machine, disk)).read())).toBe('bytes');
    const Statement = [{ Effect: 'Deny', Principal: '*', Action: 's3:*', Resource: 'arn:aws:s3:::disks/*' }];
    const policy = JSON.stringify({ Version: '2012-10-17', Statement });
    await store.updateBucket('disks', (bucket) => ({ ...bucket, policy }));
    expect(await text(await (await images.open(machine, disk)).read())).toBe('bytes');
    const withKey = { ...machine, userName: 'admin' };
    await expect(images.open(withKey, disk)).rejects.toMatchObject({ code: 'AccessDenied' });
  });

  it('are not there where they are not, or were deleted', async () => {
    await expect(images.open(owner, { ...disk, bucket: 'none' })).rejects.toMatchObject({ code: 'NoSuchBucket' });
    await expect(images.open(owner, disk)).rejects.toMatchObject({ code: 'NoSuchKey' });
    await put(store, 'disks', 'a.raw', 'bytes');
    const { versionId } = await store.removeObject('disks', 'a.raw');
    await expect(images.open(owner, disk)).rejects.toMatchObject({ code: 'NoSuchKey' });
    await expect(images.open(owner, { ...disk, versionId: versionId ?? '' })).rejects.toMatchObject({
      code: 'NoSuchKey',
    });
  });
});
