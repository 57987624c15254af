import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checksumOf } from '../../src/base/checksums.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import {
  asked,
  bucketSample,
  keys,
  md5,
  newObject,
  plain,
  put,
  readAll,
  readObject,
  readText,
  receiveBytes,
} from '../support/object-samples.ts';
import { objectListsContract } from './object-store-lists.ts';
import { objectVersionsContract } from './object-store-versions.ts';
import { objectUploadsContract } from './object-store-uploads.ts';

export interface ObjectStoreSubject {
  /** Empty at the start of each test. */
  readonly store: ObjectStore;
  close(): Promise<void>;
}

/** What every ObjectStore must do; run over each adapter. */
export function objectStoreContract(name: string, open: () => Promise<ObjectStoreSubject>): void {
  describe(`ObjectStore contract: ${name}`, () => {
    let subject: ObjectStoreSubject;
    let store: ObjectStore;
    beforeEach(async () => {
      subject = await open();
      store = subject.store;
      await store.createBucket(bucketSample('b'));
    });
    afterEach(() => subject.close());
    const current = (): ObjectStore => store;

    describe('buckets', () => bucketTests(current));
    describe('bytes', () => byteTests(current));
    describe('objects', () => objectTests(current));
    describe('lists', () => objectListsContract(current));
    describe('versions', () => objectVersionsContract(current));
    describe('uploads', () => objectUploadsContract(current));
  });
}

const refused = (code: string, details?: Record<string, unknown>): object =>
  expect.objectContaining({ code, ...(details === undefined ? {} : { details: expect.objectContaining(details) }) });

function bucketTests(current: () => ObjectStore): void {
  it('are created, told, listed by name and of a project, changed and deleted', async () => {
    const store = current();
    await store.createBucket(bucketSample('a', { projectId: 'p-2', tags: { x: 'y' } }));
    expect(await store.bucket('a')).toEqual(bucketSample('a', { projectId: 'p-2', tags: { x: 'y' } }));
    expect((await store.buckets()).map((bucket) => bucket.name)).toEqual(['a', 'b']);
    expect((await store.buckets('p-2')).map((bucket) => bucket.name)).toEqual(['a']);
    const changed = await store.updateBucket('a', (bucket) => ({ ...bucket, name: 'z', projectId: 'z', policy: '{}' }));
    expect(changed).toEqual(bucketSample('a', { projectId: 'p-2', tags: { x: 'y' }, policy: '{}' }));
    expect(await store.bucket('a')).toEqual(changed);
    await store.deleteBucket('a');
    await expect(store.bucket('a')).rejects.toEqual(refused('NoSuchBucket'));
    await expect(store.deleteBucket('a')).rejects.toEqual(refused('NoSuchBucket'));
    expect((await store.buckets()).map((bucket) => bucket.name)).toEqual(['b']);
  });

  it('have names that are one space; the refusal says whose it is', async () => {
    const again = current().createBucket(bucketSample('b', { projectId: 'p-9' }));
    await expect(again).rejects.toEqual(refused('BucketAlreadyExists', { projectId: 'p-1' }));
  });

  it('of several that are created at once under one name one is made', async () => {
    const store = current();
    const made = await Promise.allSettled(
      [1, 2, 3, 4].map((n) => store.createBucket(bucketSample('race', { projectId: `p-${n}` }))),
    );
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('are no more than a project may have, also when many are created at once', async () => {
    const store = current();
    const made = await Promise.allSettled(
      [1, 2, 3, 4].map((n) => store.createBucket(bucketSample(`many-${n}`), { maxInProject: 3 })),
    );
    // The bucket b is the first of them.
    expect(made.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected']);
    await expect(store.createBucket(bucketSample('many-9'), { maxInProject: 3 })).rejects.toEqual(
      refused('TooManyBuckets'),
    );
    await store.createBucket(bucketSample('of-others', { projectId: 'p-9' }), { maxInProject: 3 });
  });

  it('a change that throws leaves all as it was, and those beside it hold', async () => {
    const store = current();
    const bad = store.updateBucket('b', () => {
      throw new Error('no');
    });
    const good = store.updateBucket('b', (bucket) => ({ ...bucket, tags: { a: 'b' } }));
    await expect(bad).rejects.toThrowError('no');
    expect((await good).tags).toEqual({ a: 'b' });
    expect((await store.bucket('b')).tags).toEqual({ a: 'b' });
  });

  it('are not deleted while anything is in them, and nothing is found in a bucket that is not there', async () => {
    const store = current();
    await put(store, 'b', 'k', 'x');
    await expect(store.deleteBucket('b')).rejects.toEqual(refused('BucketNotEmpty'));
    await store.removeObject('b', 'k');
    await store.deleteBucket('b');
    const received = await receiveBytes(store, 'x');
    for (const call of [
      () => store.usage('b'),
      () => store.object('b', 'k'),
      () => store.list('b', asked()),
      () => store.listVersions('b', asked()),
      () => store.listUploads('b', asked()),
      () => store.removeObject('b', 'k'),
      () => store.putObject(newObject('b', 'k', received)),
    ])
      await expect(call()).rejects.toEqual(refused('NoSuchBucket'));
  });

  it('a new one of the same name has nothing of the old', async () => {
    const store = current();
    await put(store, 'b', 'k', 'x');
    await store.removeObject('b', 'k');
    await store.deleteBucket('b');
    await store.createBucket(bucketSample('b'));
    expect(await store.usage('b')).toEqual({ objects: 0, versions: 0, bytes: 0, uploads: 0 });
    expect(await keys(store, 'b')).toEqual([]);
  });

  it('keep to their quota of bytes and of objects; what was refused leaves nothing', async () => {
    const store = current();
    await store.updateBucket('b', (bucket) => ({ ...bucket, quota: { maxBytes: 10, maxObjects: 2 } }));
    await put(store, 'b', 'a', '12345');
    await expect(put(store, 'b', 'c', '123456')).rejects.toEqual(refused('QuotaExceeded'));
    await put(store, 'b', 'c', '12345');
    await expect(put(store, 'b', 'd', '')).rejects.toEqual(refused('QuotaExceeded'));
    await put(store, 'b', 'c', '123');
    expect(await store.usage('b')).toEqual({ objects: 2, versions: 2, bytes: 8, uploads: 0 });
    await store.updateBucket('b', (bucket) => ({ ...bucket, quota: { maxBytes: 1 } }));
    await put(store, 'b', 'c', '1');
    expect((await store.usage('b')).bytes).toBe(6);
    expect(await store.collect()).toBeGreaterThanOrEqual(0);
    expect(await store.scrub()).toMatchObject({ objects: 2, damaged: [], unnamed: 0 });
  });
}

function byteTests(current: () => ObjectStore): void {
  it.each([0, 1, 16_384, 16_385, 3_000_000])('%i bytes are counted as they pass and come back', async (size) => {
    const store = current();
    const data = randomBytes(size);
    const chunks = Array.from({ length: Math.ceil(size / 60_000) }, (_, i) =>
      data.subarray(i * 60_000, (i + 1) * 60_000),
    );
    const seen: unknown[] = [];
    const { segment, digests } = await store.receive(Readable.from(chunks), {
      maxBytes: size,
      checksums: ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'],
      accept: (...passed) => void seen.push(passed),
    });
    expect(seen).toEqual([[digests, size]]);
    expect(segment.sizeBytes).toBe(size);
    expect(digests.md5).toBe(md5(data));
    expect(digests.sha256).toBe(segment.sha256);
    for (const algorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const) {
      expect(digests.checksums[algorithm]).toBe(checksumOf(algorithm, data));
    }
    await store.putObject(newObject('b', 'k', { segment, digests }));
    expect((await readObject(store, 'b', 'k')).equals(data)).toBe(true);
  });

  it.each([10, 100_000])(
    'a body of more than maxBytes (%i), one that is not accepted and one that breaks leave nothing',
    async (size) => {
      const store = current();
      const body = (): Readable => Readable.from([Buffer.alloc(size), Buffer.alloc(1)]);
      await expect(store.receive(body(), { maxBytes: size })).rejects.toEqual(refused('EntityTooLarge'));
      const accept = (): void => {
        throw new Error('not this');
      };
      await expect(store.receive(body(), { maxBytes: size + 1, accept })).rejects.toThrowError('not this');
      const broken = new Readable({ read: () => undefined });
      broken.push(Buffer.alloc(size));
      const received = store.receive(broken, { maxBytes: 2 ** 30 });
      broken.destroy(new Error('the client went away'));
      await expect(received).rejects.toThrowError('the client went away');
      expect(await store.collect()).toBe(0);
      expect(await store.scrub()).toMatchObject({ segments: 0, unnamed: 0 });
    },
  );

  it('a body that is refused is not destroyed: its socket is still to answer', async () => {
    const body = Readable.from([Buffer.alloc(10), Buffer.alloc(10)]);
    await expect(current().receive(body, { maxBytes: 5 })).rejects.toEqual(refused('EntityTooLarge'));
    expect(body.destroyed).toBe(false);
    body.destroy();
  });

  it('ranges within and across segments', async () => {
    const store = current();
    const pieces = [randomBytes(20_000), Buffer.from('inline'), randomBytes(700_000), Buffer.alloc(0), randomBytes(5)];
    const whole = Buffer.concat(pieces);
    const received = await Promise.all(pieces.map((piece) => receiveBytes(store, piece)));
    const object = await store.putObject({ ...plain('b', 'k'), segments: received.map(({ segment }) => segment) });
    expect(object.sizeBytes).toBe(whole.length);
    const edges = [0, 1, 19_999, 20_000, 20_003, 20_006, 20_007, 600_000, 720_006, whole.length - 1, whole.length];
    for (const start of edges) {
      for (const end of edges.filter((edge) => edge >= start)) {
        const read = await buffer(await store.read(object, { start, end }));
        expect(read.equals(whole.subarray(start, end)), `${start}-${end}`).toBe(true);
      }
    }
  });

  it('what was received and dropped is gone; what was dropped after it was named stays', async () => {
    const store = current();
    const gone = await receiveBytes(store, randomBytes(20_000));
    await store.drop([gone.segment]);
    await expect(store.read({ segments: [gone.segment] }, { start: 0, end: 1 })).rejects.toEqual(refused('NoSuchKey'));
    await expect(store.putObject(newObject('b', 'k', gone))).rejects.toEqual(refused('NoSuchKey'));
    const kept = await receiveBytes(store, randomBytes(20_000));
    await store.putObject(newObject('b', 'k', kept));
    await store.drop([kept.segment]);
    expect(await readObject(store, 'b', 'k')).toHaveLength(20_000);
    expect(await store.scrub()).toMatchObject({ segments: 1, damaged: [], unnamed: 0 });
  });

  it.each([100, 2_000_000])('a reader of %i bytes reads to its end whatever is deleted and collected', async (size) => {
    const store = current();
    const data = randomBytes(size);
    const reader = await store.read(await put(store, 'b', 'k', data), { start: 0, end: size });
    const looked = await store.object('b', 'k');
    await store.removeObject('b', 'k');
    expect((await buffer(await store.read(looked as never, { start: 0, end: size }))).equals(data)).toBe(true);
    await store.collect();
    expect((await buffer(reader)).equals(data)).toBe(true);
    await store.collect();
    await expect(store.read(looked as never, { start: 0, end: size })).rejects.toEqual(refused('NoSuchKey'));
    expect(await store.scrub()).toMatchObject({ segments: 0, unnamed: 0 });
  });

  it('so does one of many segments, most of which it has not come to yet', async () => {
    const store = current();
    const pieces = [randomBytes(1_500_000), Buffer.from('inline'), randomBytes(1_500_000), Buffer.from('inline too')];
    const received = await Promise.all(pieces.map((piece) => receiveBytes(store, piece)));
    const object = await store.putObject({ ...plain('b', 'k'), segments: received.map(({ segment }) => segment) });
    const reader = await store.read(object, { start: 0, end: object.sizeBytes, verify: true });
    const unread = await store.read(object, { start: 10, end: object.sizeBytes });
    await store.removeObject('b', 'k');
    await store.collect();
    expect((await buffer(reader)).equals(Buffer.concat(pieces))).toBe(true);
    await store.collect();
    expect(await store.scrub()).toMatchObject({ segments: 0, unnamed: 0 });
    unread.destroy();
    await once(unread, 'close');
    expect(await store.collect()).toBe(pieces.length);
  });
}

function objectTests(current: () => ObjectStore): void {
  it('say what was put, and give way to what is put over them', async () => {
    const store = current();
    const received = await receiveBytes(store, 'hello');
    const full = {
      ...newObject('b', 'k', received),
      metadata: { contentType: 'text/plain', user: { a: 'ä' } },
      tags: { x: 'y' },
      grants: [{ grantee: { kind: 'everyone' as const }, permission: 'READ' as const }],
      checksum: {
        algorithm: 'CRC32' as const,
        type: 'FULL_OBJECT' as const,
        value: checksumOf('CRC32', Buffer.from('hello')),
      },
    };
    const object = await store.putObject(full);
    expect(object).toMatchObject({ ...full, kind: 'object', versionId: 'null', isLatest: true, sizeBytes: 5 });
    expect(await store.object('b', 'k')).toEqual(object);
    expect(await store.object('b', 'k', 'null')).toEqual(object);
    await put(store, 'b', 'k', 'other');
    expect(await readText(store, 'b', 'k')).toBe('other');
    expect(await store.usage('b')).toEqual({ objects: 1, versions: 1, bytes: 5, uploads: 0 });
  });

  it('that are not there say so', async () => {
    const store = current();
    await expect(store.object('b', 'k')).rejects.toEqual(refused('NoSuchKey'));
    await expect(store.object('b', 'k', 'null')).rejects.toEqual(refused('NoSuchObjectVersion'));
    await expect(store.object('b', 'k', 'no id at all')).rejects.toEqual(refused('NoSuchObjectVersion'));
    await expect(store.updateObject('b', 'k', undefined, { tags: {} })).rejects.toEqual(refused('NoSuchKey'));
    expect(await store.removeObject('b', 'k')).toEqual({ deleteMarker: false });
  });

  it('are written on conditions', async () => {
    const store = current();
    await expect(put(store, 'b', 'k', '1', { ifMatch: md5('0') })).rejects.toEqual(refused('NoSuchKey'));
    const first = await put(store, 'b', 'k', '1', { ifNoneMatch: '*' });
    await expect(put(store, 'b', 'k', '2', { ifNoneMatch: '*' })).rejects.toEqual(refused('PreconditionFailed'));
    await expect(put(store, 'b', 'k', '2', { ifMatch: md5('0') })).rejects.toEqual(refused('PreconditionFailed'));
    expect(await readText(store, 'b', 'k')).toBe('1');
    await put(store, 'b', 'k', '2', { ifMatch: first.etag });
    await expect(store.removeObject('b', 'k', { ifMatch: first.etag })).rejects.toEqual(refused('PreconditionFailed'));
    const { modifiedMs } = await store.object('b', 'k');
    const another = store.removeObject('b', 'k', { ifModifiedMs: modifiedMs - 1 });
    await expect(another).rejects.toEqual(refused('PreconditionFailed'));
    await store.removeObject('b', 'k', { ifMatch: md5('2'), ifModifiedMs: modifiedMs });
    await expect(store.removeObject('b', 'k', { ifMatch: '*' })).rejects.toEqual(refused('PreconditionFailed'));
    expect(await store.collect()).toBeGreaterThanOrEqual(0);
    expect(await store.scrub()).toMatchObject({ segments: 0, unnamed: 0 });
  });

  it('of many puts at once on the condition that nothing is there one wins', async () => {
    const store = current();
    const puts = await Promise.allSettled(
      Array.from({ length: 20 }, (_, n) => put(store, 'b', 'k', `${n}`.repeat(n * 3000), { ifNoneMatch: '*' })),
    );
    const won = puts.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(won).toHaveLength(1);
    expect(await store.object('b', 'k')).toEqual(won[0]);
  });

  it('are copied without their bytes, and outlive what they were copied from', async () => {
    const store = current();
    const data = randomBytes(50_000);
    const source = await put(store, 'b', 'k', data);
    const copy = await store.copyObject(source, { ...plain('b', 'copy'), etag: source.etag });
    await store.copyObject(source, { ...plain('b', 'k'), etag: source.etag, tags: { self: 'yes' } });
    expect(copy.segments).toEqual(source.segments);
    expect(await store.scrub()).toMatchObject({ objects: 2, segments: 1, bytes: 50_000 });
    expect((await store.usage('b')).bytes).toBe(100_000);
    await store.removeObject('b', 'k');
    await store.collect();
    expect((await readAll(store, copy)).equals(data)).toBe(true);
    await store.removeObject('b', 'copy');
    await store.collect();
    await expect(store.copyObject(source, plain('b', 'late'))).rejects.toEqual(refused('NoSuchKey'));
    expect(await store.scrub()).toMatchObject({ segments: 0, unnamed: 0 });
  });

  it('get other tags and grants and stay what they are', async () => {
    const store = current();
    const object = await put(store, 'b', 'k', 'x');
    const grants = [{ grantee: { kind: 'authenticated' as const }, permission: 'READ' as const }];
    await store.updateObject('b', 'k', undefined, { tags: { a: 'b' } });
    expect(await store.updateObject('b', 'k', 'null', { grants })).toEqual({ ...object, tags: { a: 'b' }, grants });
    expect(await store.object('b', 'k')).toEqual({ ...object, tags: { a: 'b' }, grants });
  });

  it('have no keys of half characters, which would be another key on disk', async () => {
    const store = current();
    await expect(put(store, 'b', 'a\ud800', 'x')).rejects.toEqual(refused('InvalidArgument'));
    await expect(store.object('b', '\udc00')).rejects.toEqual(refused('InvalidArgument'));
    await expect(store.list('b', asked({ prefix: '\ud800' }))).rejects.toEqual(refused('InvalidArgument'));
    expect(await store.collect()).toBe(0);
  });

  it('have keys of any UTF-8, each its own', async () => {
    const store = current();
    const names = [
      'a',
      'A',
      'a/',
      'a//',
      '/',
      '..',
      '../../etc/passwd',
      'a\0b',
      'a\0',
      '\u{1f600}',
      'ä',
      'a\u0308',
      '\uffff',
      ' ',
      '%2e',
      'k'.repeat(1024),
    ];
    await Promise.all(names.map((key) => put(store, 'b', key, `of ${key}`)));
    for (const key of names) expect(await readText(store, 'b', key)).toBe(`of ${key}`);
    const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    expect(await keys(store, 'b')).toEqual(sorted);
    for (const key of names) await store.removeObject('b', key);
    expect(await keys(store, 'b')).toEqual([]);
  });
}
