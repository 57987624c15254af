import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileBlobs } from '../../../src/adapters/blobs/file-blobs.ts';
import { withLocalBlobs } from '../../../src/adapters/blobs/local-first-blobs.ts';
import { CloudError } from '../../../src/base/errors.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import type { Blobs } from '../../../src/ports/blobs.ts';
import { blobsContract } from '../../contract/blobs.ts';

/** Two folders: one stands for the endpoint. What they are made of has its own tests. */
function twoPlaces(): { dir: string; there: Blobs; local: Blobs; both: ReturnType<typeof withLocalBlobs> } {
  const dir = mkdtempSync(join(tmpdir(), 'novactl-two-blobs-'));
  const [there, local] = ['there', 'local'].map((name) =>
    createFileBlobs({ dir: join(dir, name), random: new SystemRandom() }),
  ) as [Blobs, Blobs];
  const presign = async (key: string): Promise<string> => `https://s3.example.org/${(await there.head(key)).key}`;
  return { dir, there, local, both: withLocalBlobs({ ...there, presign }, local) };
}

blobsContract('an endpoint after a local folder', () => {
  const { dir, both } = twoPlaces();
  return Promise.resolve({ blobs: both, close: () => Promise.resolve(rmSync(dir, { recursive: true })) });
});

describe('blobs of a cloud that was moved to an endpoint', () => {
  let places: ReturnType<typeof twoPlaces>;
  beforeEach(async () => {
    places = twoPlaces();
    await places.local.put('upload/old', Readable.from(['old']));
  });
  afterEach(() => rmSync(places.dir, { recursive: true }));
  const textOf = async (blobs: Blobs, key: string): Promise<string> => (await buffer(await blobs.read(key))).toString();

  it('that were local are read, listed and deleted there; new ones are at the endpoint', async () => {
    const { both, there, local } = places;
    await both.put('upload/new', Readable.from(['new']));
    expect((await local.list('')).map(({ key }) => key)).toEqual(['upload/old']);
    expect((await there.list('')).map(({ key }) => key)).toEqual(['upload/new']);
    expect((await both.list('upload/')).map(({ key }) => key)).toEqual(['upload/new', 'upload/old']);
    expect([await textOf(both, 'upload/old'), await textOf(both, 'upload/new')]).toEqual(['old', 'new']);
    await both.delete('upload/old');
    expect(await local.list('')).toEqual([]);
    await expect(both.head('upload/old')).rejects.toMatchObject({ code: 'NotFound' });
  });

  it('are given out by URL where the bytes are at the endpoint, and refused where they are not', async () => {
    const { both } = places;
    await both.put('upload/new', Readable.from(['new']));
    expect(await both.presign('upload/new', 60)).toBe('https://s3.example.org/upload/new');
    await expect(both.presign('upload/old', 60)).rejects.toMatchObject({ code: 'UnsupportedOperation' });
  });

  it('that are local are there while the endpoint is not', async () => {
    const down = (): Promise<never> => Promise.reject(new CloudError('Unavailable', 'down'));
    const { local } = places;
    const blobs = withLocalBlobs({ put: down, head: down, read: down, delete: down, list: down, presign: down }, local);
    expect(await textOf(blobs, 'upload/old')).toBe('old');
    await expect(blobs.head('upload/new')).rejects.toMatchObject({ code: 'Unavailable' });
  });
});
