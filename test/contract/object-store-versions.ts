import { expect, it } from 'vitest';
import type { ObjectStore, ListVersionsPage } from '../../src/ports/object-store.ts';
import { asked, bucketSample, keys, put, readText } from '../support/object-samples.ts';

const versions = async (store: ObjectStore, key = 'k'): Promise<string[]> => {
  const { rows } = await store.listVersions('v', asked({ prefix: key }));
  return rows.map((row) => `${row.kind} ${row.versionId}${row.isLatest ? ' latest' : ''}`);
};

async function bucketWith(store: ObjectStore, versioning: 'off' | 'enabled' | 'suspended'): Promise<void> {
  await store.createBucket(bucketSample('v', { versioning }));
}

const turn = (store: ObjectStore, versioning: 'enabled' | 'suspended'): Promise<unknown> =>
  store.updateBucket('v', (bucket) => ({ ...bucket, versioning }));

/** Versioning off, enabled and suspended. */
export function objectVersionsContract(current: () => ObjectStore): void {
  it('enabled: each put is a version of its own, the newest first', async () => {
    const store = current();
    await bucketWith(store, 'enabled');
    const [one, two] = [await put(store, 'v', 'k', 'one'), await put(store, 'v', 'k', 'two')];
    expect(one.versionId).not.toBe(two.versionId);
    expect(await versions(store)).toEqual([`object ${two.versionId} latest`, `object ${one.versionId}`]);
    expect(await readText(store, 'v', 'k')).toBe('two');
    expect(await readText(store, 'v', 'k', one.versionId)).toBe('one');
    await expect(store.object('v', 'other', one.versionId)).rejects.toMatchObject({ code: 'NoSuchObjectVersion' });
    expect(await store.usage('v')).toEqual({ objects: 1, versions: 2, bytes: 6, uploads: 0 });
    await expect(store.deleteBucket('v')).rejects.toMatchObject({ code: 'BucketNotEmpty' });
  });

  it('enabled: a delete makes a marker, and taking the marker away brings the object back', async () => {
    const store = current();
    await bucketWith(store, 'enabled');
    const { versionId } = await put(store, 'v', 'k', 'one');
    const marker = await store.removeObject('v', 'k');
    expect(marker).toEqual({ versionId: expect.any(String) as string, deleteMarker: true });
    await expect(store.object('v', 'k')).rejects.toMatchObject({
      code: 'NoSuchKey',
      details: { deleteMarker: true, versionId: marker.versionId },
    });
    expect(await store.object('v', 'k', marker.versionId)).toMatchObject({ kind: 'marker', key: 'k', isLatest: true });
    expect(await keys(store, 'v')).toEqual([]);
    expect(await versions(store)).toEqual([`marker ${marker.versionId} latest`, `object ${versionId}`]);
    expect(await store.usage('v')).toEqual({ objects: 0, versions: 2, bytes: 3, uploads: 0 });
    await expect(store.updateObject('v', 'k', marker.versionId, { tags: {} })).rejects.toMatchObject({
      code: 'MethodNotAllowed',
    });
    expect(await put(store, 'v', 'k', 'again', { ifNoneMatch: '*' })).toMatchObject({ isLatest: true });
    const [newest] = (await store.listVersions('v', asked())).rows;
    await store.removeObject('v', 'k', { versionId: newest?.versionId ?? '' });
    expect(await store.removeObject('v', 'k', { versionId: marker.versionId ?? '' })).toEqual(marker);
    expect(await readText(store, 'v', 'k')).toBe('one');
    expect(await store.removeObject('v', 'k', { versionId })).toEqual({ versionId, deleteMarker: false });
    expect(await store.removeObject('v', 'k', { versionId })).toEqual({ versionId, deleteMarker: false });
    expect(await store.usage('v')).toEqual({ objects: 0, versions: 0, bytes: 0, uploads: 0 });
    await store.deleteBucket('v');
  });

  it('enabled: a delete of what never was makes a marker too', async () => {
    const store = current();
    await bucketWith(store, 'enabled');
    expect((await store.removeObject('v', 'k')).deleteMarker).toBe(true);
    expect((await store.removeObject('v', 'k')).deleteMarker).toBe(true);
    expect(await store.usage('v')).toEqual({ objects: 0, versions: 2, bytes: 0, uploads: 0 });
  });

  it('what was put before versioning is the version null, and stays under the new ones', async () => {
    const store = current();
    await bucketWith(store, 'off');
    await put(store, 'v', 'k', 'zero');
    await turn(store, 'enabled');
    const { versionId } = await put(store, 'v', 'k', 'one');
    expect(await versions(store)).toEqual([`object ${versionId} latest`, 'object null']);
    expect(await readText(store, 'v', 'k', 'null')).toBe('zero');
    await store.removeObject('v', 'k', { versionId });
    expect(await versions(store)).toEqual(['object null latest']);
    expect(await keys(store, 'v')).toEqual(['k']);
  });

  it('suspended: puts take the place of the version null alone', async () => {
    const store = current();
    await bucketWith(store, 'off');
    await put(store, 'v', 'k', 'zero');
    await turn(store, 'enabled');
    const { versionId } = await put(store, 'v', 'k', 'one');
    await turn(store, 'suspended');
    await put(store, 'v', 'k', 'two');
    expect(await versions(store)).toEqual(['object null latest', `object ${versionId}`]);
    await put(store, 'v', 'k', 'three');
    expect(await versions(store)).toEqual(['object null latest', `object ${versionId}`]);
    expect(await readText(store, 'v', 'k')).toBe('three');
    expect(await store.usage('v')).toEqual({ objects: 1, versions: 2, bytes: 8, uploads: 0 });
    await turn(store, 'enabled');
    const four = await put(store, 'v', 'k', 'four');
    expect(await versions(store)).toEqual([`object ${four.versionId} latest`, 'object null', `object ${versionId}`]);
  });

  it('suspended: a delete makes the marker null and loses the version null', async () => {
    const store = current();
    await bucketWith(store, 'enabled');
    const { versionId } = await put(store, 'v', 'k', 'one');
    await turn(store, 'suspended');
    await put(store, 'v', 'k', 'two');
    const marker = { versionId: 'null', deleteMarker: true };
    expect(await store.removeObject('v', 'k')).toEqual(marker);
    expect(await store.removeObject('v', 'k')).toEqual(marker);
    expect(await versions(store)).toEqual(['marker null latest', `object ${versionId}`]);
    expect(await store.removeObject('v', 'k', { versionId: 'null' })).toEqual(marker);
    expect(await versions(store)).toEqual([`object ${versionId} latest`]);
    expect(await readText(store, 'v', 'k')).toBe('one');
    expect(await store.usage('v')).toEqual({ objects: 1, versions: 1, bytes: 3, uploads: 0 });
  });

  it('lists go on between versions of a key, also behind one that is gone', async () => {
    const store = current();
    await bucketWith(store, 'enabled');
    for (const key of ['a', 'k', 'k', 'k', 'z']) await put(store, 'v', key, 'x');
    const page = (after: string, afterVersionId?: string): Promise<ListVersionsPage> =>
      store.listVersions('v', {
        ...asked({ max: 2, after }),
        ...(afterVersionId === undefined ? {} : { afterVersionId }),
      });
    const first = await page('');
    expect(first.rows.map((row) => row.key)).toEqual(['a', 'k']);
    expect([first.next, first.nextVersionId]).toEqual(['k', first.rows[1]?.versionId]);
    await store.removeObject('v', 'k', { versionId: first.nextVersionId ?? '' });
    const second = await page('k', first.nextVersionId);
    expect(second.rows.map((row) => row.key)).toEqual(['k', 'k']);
    expect((await page('k', second.nextVersionId)).rows.map((row) => row.key)).toEqual(['z']);
    expect((await page('k')).rows.map((row) => row.key)).toEqual(['z']);
  });
}
