import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { asked, complete, put, putPart, readObject, readText, uploadSample } from '../support/object-samples.ts';

/** Multipart uploads. */
export function objectUploadsContract(current: () => ObjectStore): void {
  it('parts of any order become one object, in the order that was asked for, and the rest is dropped', async () => {
    const store = current();
    const upload = uploadSample('b', 'k', 'u1');
    await store.createUpload(upload);
    expect(await store.upload('b', 'k', 'u1')).toEqual(upload);
    const data = [randomBytes(70_000), randomBytes(30_000), Buffer.from('end')];
    await putPart(store, upload, 3, data[2] ?? '');
    await putPart(store, upload, 1, 'replaced');
    await putPart(store, upload, 2, data[1] ?? '');
    const part = await putPart(store, upload, 1, data[0] ?? '');
    await putPart(store, upload, 9, 'not asked for');
    expect((await store.parts('u1', 0, 100)).map(({ number }) => number)).toEqual([1, 2, 3, 9]);
    expect((await store.parts('u1', 1, 2)).map(({ number }) => number)).toEqual([2, 3]);
    expect((await store.parts('u1', 0, 1))[0]).toEqual(part);
    expect(await store.usage('b')).toEqual({ objects: 0, versions: 0, bytes: 100_016, uploads: 1 });
    const object = await complete(store, upload, [1, 2, 3]);
    expect(object).toMatchObject({
      key: 'k',
      sizeBytes: 100_003,
      etag: expect.stringMatching(/^[0-9a-f]{32}-3$/) as string,
    });
    expect(object.parts?.map(({ sizeBytes }) => sizeBytes)).toEqual([70_000, 30_000, 3]);
    expect(await store.object('b', 'k')).toEqual(object);
    expect((await readObject(store, 'b', 'k')).equals(Buffer.concat(data))).toBe(true);
    expect(await store.usage('b')).toEqual({ objects: 1, versions: 1, bytes: 100_003, uploads: 0 });
    for (const call of [store.upload('b', 'k', 'u1'), store.parts('u1', 0, 9), store.abortUpload('b', 'k', 'u1')]) {
      await expect(call).rejects.toMatchObject({ code: 'NoSuchUpload' });
    }
    await store.collect();
    expect(await store.scrub()).toMatchObject({ objects: 1, segments: 3, damaged: [], unnamed: 0 });
  });

  it('a complete that is refused leaves the upload as it was', async () => {
    const store = current();
    const upload = uploadSample('b', 'k', 'u1');
    await store.createUpload(upload);
    await putPart(store, upload, 1, 'one');
    await put(store, 'b', 'k', 'there');
    await expect(complete(store, upload, [1, 2])).rejects.toMatchObject({ code: 'InvalidPart' });
    await expect(complete(store, upload, [1, 1])).rejects.toMatchObject({ code: 'InvalidPart' });
    await expect(complete(store, upload, [1], { ifNoneMatch: '*' })).rejects.toMatchObject({
      code: 'PreconditionFailed',
    });
    const finish = (): never => {
      throw new Error('another etag');
    };
    await expect(store.completeUpload(upload, [1], finish)).rejects.toThrowError('another etag');
    expect(await store.usage('b')).toEqual({ objects: 1, versions: 1, bytes: 8, uploads: 1 });
    await complete(store, upload, [1]);
    expect(await readText(store, 'b', 'k')).toBe('one');
  });

  it('two that complete at once: one makes the object', async () => {
    const store = current();
    const upload = uploadSample('b', 'k', 'u1');
    await store.createUpload(upload);
    await putPart(store, upload, 1, randomBytes(20_000));
    const done = await Promise.allSettled([complete(store, upload, [1]), complete(store, upload, [1])]);
    expect(done.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(done[1]).toMatchObject({ reason: { code: 'NoSuchUpload' } });
    expect(await readObject(store, 'b', 'k')).toHaveLength(20_000);
  });

  it('a part may be a copy of an object’s bytes', async () => {
    const store = current();
    const source = await put(store, 'b', 'source', randomBytes(40_000));
    const upload = uploadSample('b', 'k', 'u1');
    await store.createUpload(upload);
    const { segments, sizeBytes, etag } = source;
    for (const number of [1, 2]) await store.putPart(upload, { number, sizeBytes, etag, modifiedMs: 1, segments });
    await store.removeObject('b', 'source');
    await store.collect();
    expect(await store.scrub()).toMatchObject({ segments: 1, damaged: [], unnamed: 0 });
    await complete(store, upload, [1, 2]);
    expect(await readObject(store, 'b', 'k')).toHaveLength(80_000);
    await store.removeObject('b', 'k');
    await store.collect();
    expect(await store.scrub()).toMatchObject({ segments: 0, unnamed: 0 });
  });

  it('are aborted, or go with their bucket, and take their bytes with them', async () => {
    const store = current();
    for (const id of ['u1', 'u2']) {
      await store.createUpload(uploadSample('b', 'k', id));
      await putPart(store, uploadSample('b', 'k', id), 1, randomBytes(20_000));
    }
    await expect(store.abortUpload('b', 'other', 'u1')).rejects.toMatchObject({ code: 'NoSuchUpload' });
    await store.abortUpload('b', 'k', 'u1');
    expect(await store.usage('b')).toEqual({ objects: 0, versions: 0, bytes: 20_000, uploads: 1 });
    await expect(putPart(store, uploadSample('b', 'k', 'u1'), 2, 'late')).rejects.toMatchObject({
      code: 'NoSuchUpload',
    });
    await store.deleteBucket('b');
    await store.collect();
    expect(await store.scrub()).toMatchObject({ segments: 0, unnamed: 0 });
  });

  it('parts keep to the quota', async () => {
    const store = current();
    await store.updateBucket('b', (bucket) => ({ ...bucket, quota: { maxBytes: 100, maxObjects: 0 } }));
    const upload = uploadSample('b', 'k', 'u1');
    await store.createUpload(upload);
    await putPart(store, upload, 1, Buffer.alloc(60));
    await expect(putPart(store, upload, 2, Buffer.alloc(60))).rejects.toMatchObject({ code: 'QuotaExceeded' });
    await putPart(store, upload, 1, Buffer.alloc(100));
    await expect(complete(store, upload, [1])).rejects.toMatchObject({ code: 'QuotaExceeded' });
    expect(await store.usage('b')).toEqual({ objects: 0, versions: 0, bytes: 100, uploads: 1 });
  });

  it('are listed by key and start, page by page', async () => {
    const store = current();
    for (const [key, id] of [
      ['k', 'z'],
      ['a/1', 'm'],
      ['k', 'y'],
      ['a/2', 'n'],
      ['k', 'x'],
    ] as const) {
      await store.createUpload(uploadSample('b', key, id));
    }
    const all = await store.listUploads('b', asked());
    expect(all.rows.map(({ uploadId }) => uploadId)).toEqual(['m', 'n', 'z', 'y', 'x']);
    const folded = await store.listUploads('b', asked({ delimiter: '/', max: 2 }));
    expect([folded.rows.map(({ uploadId }) => uploadId), folded.commonPrefixes]).toEqual([['z'], ['a/']]);
    expect([folded.next, folded.nextUploadId]).toEqual(['k', 'z']);
    const rest = await store.listUploads('b', { ...asked({ after: 'k' }), afterUploadId: 'z' });
    expect(rest.rows.map(({ uploadId }) => uploadId)).toEqual(['y', 'x']);
    expect((await store.listUploads('b', asked({ after: 'k' }))).rows).toEqual([]);
  });
}
