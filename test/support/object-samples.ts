import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { BucketRecord, ObjectRecord, PartRecord, Segment, UploadRecord } from '../../src/domain/s3/records.ts';
import type { ListAsked, NewObject, ObjectStore, Received, WriteConditions } from '../../src/ports/object-store.ts';

export function bucketSample(name: string, change: Partial<BucketRecord> = {}): BucketRecord {
  return {
    ...{ name, projectId: 'p-1', region: 'nova', createdMs: 1_000, versioning: 'off' },
    ...{ grants: [], tags: {}, cors: [], lifecycle: [], quota: {} },
    ...change,
  };
}

export function uploadSample(bucket: string, key: string, uploadId: string): UploadRecord {
  return { uploadId, bucket, key, ownerId: 'p-1', startedMs: 1_000, metadata: { user: {} }, tags: {}, grants: [] };
}

export function bytesOf(data: string | Uint8Array): Buffer {
  return Buffer.from(data);
}

export function md5(data: string | Uint8Array): string {
  return createHash('md5').update(data).digest('hex');
}

export function receiveBytes(store: ObjectStore, data: string | Uint8Array): Promise<Received> {
  return store.receive(Readable.from(data.length === 0 ? [] : [bytesOf(data)]), { maxBytes: 2 ** 40 });
}

export function newObject(bucket: string, key: string, { segment, digests }: Received): NewObject {
  return { ...plain(bucket, key), etag: digests.md5, segments: [segment] };
}

/** All of an object but its bytes. */
export function plain(bucket: string, key: string): Omit<NewObject, 'segments'> {
  return { bucket, key, ownerId: 'p-1', metadata: { user: {} }, tags: {}, grants: [], etag: '' };
}

export async function put(
  store: ObjectStore,
  bucket: string,
  key: string,
  data: string | Uint8Array,
  conditions: WriteConditions = {},
): Promise<ObjectRecord> {
  const sample = plain(bucket, key);
  // That there is no such bucket is for putObject to tell.
  const owner = store.bucket(bucket).then(
    ({ projectId }) => projectId,
    () => sample.ownerId,
  );
  const [received, ownerId] = await Promise.all([receiveBytes(store, data), owner]);
  return store.putObject({ ...newObject(bucket, key, received), ownerId }, conditions);
}

export async function putPart(
  store: ObjectStore,
  upload: UploadRecord,
  number: number,
  data: string | Uint8Array,
): Promise<PartRecord> {
  const { segment, digests } = await receiveBytes(store, data);
  const part = { number, sizeBytes: segment.sizeBytes, etag: digests.md5, modifiedMs: 2_000, segments: [segment] };
  await store.putPart(upload, part);
  return part;
}

/** Completes with what was asked for, as the edge does. */
export function complete(
  store: ObjectStore,
  upload: UploadRecord,
  numbers: readonly number[],
  conditions: WriteConditions = {},
): Promise<ObjectRecord> {
  const finish: Parameters<ObjectStore['completeUpload']>[2] = (parts) => ({
    etag: `${md5(parts.map((part) => part.etag).join(''))}-${parts.length}`,
    parts: parts.map(({ number, sizeBytes }) => ({ number, sizeBytes })),
  });
  return store.completeUpload(upload, numbers, finish, conditions);
}

export async function readAll(store: ObjectStore, object: Pick<ObjectRecord, 'segments'>): Promise<Buffer> {
  return buffer(await store.read(object, { start: 0, end: sizeOf(object.segments), verify: true }));
}

export async function readObject(store: ObjectStore, bucket: string, key: string, versionId?: string): Promise<Buffer> {
  const object = await store.object(bucket, key, versionId);
  if (object.kind === 'marker') throw new Error(`${key} is a delete marker`);
  return readAll(store, object);
}

export async function readText(store: ObjectStore, bucket: string, key: string, versionId?: string): Promise<string> {
  return (await readObject(store, bucket, key, versionId)).toString();
}

export function sizeOf(segments: readonly Segment[]): number {
  return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

export function asked(change: Partial<ListAsked> = {}): ListAsked {
  return { prefix: '', delimiter: '', after: '', max: 1000, ...change };
}

export async function keys(store: ObjectStore, bucket: string, change: Partial<ListAsked> = {}): Promise<string[]> {
  const { rows, commonPrefixes } = await store.list(bucket, asked(change));
  return [...rows.map((row) => row.key), ...commonPrefixes.map((prefix) => `${prefix}…`)];
}
