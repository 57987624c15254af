/** S3 by the AWS SDK for JavaScript as it is today: checksums of its own accord, trailers, conditions, streams of unknown length. A program of its own: node day-sdk.ts. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Agent } from 'node:http';
import type { LookupFunction } from 'node:net';
import { Readable } from 'node:stream';
import { crc32 } from 'node:zlib';
import * as sdk from '@aws-sdk/client-s3';
import { Upload } from '@aws-sdk/lib-storage';

const MIB = 1024 * 1024;
const endpoint = process.env['AWS_ENDPOINT_URL_S3'] ?? '';
const common = { region: process.env['AWS_REGION'] ?? '', maxAttempts: 1 };
const byPath = new sdk.S3Client({ ...common, endpoint, forcePathStyle: true });
const Bucket = 'sdk-day';
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const crcOf = (bytes: Uint8Array): string => {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(crc32(bytes));
  return four.toString('base64');
};

async function refused(code: string, call: Promise<unknown>): Promise<void> {
  const error: unknown = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof sdk.S3ServiceException, `not refused with ${code}`);
  assert.equal(error.name, code);
  assert.ok(error.message !== '' && error.$metadata.requestId !== undefined);
}

async function bytesOf(answer: sdk.GetObjectCommandOutput): Promise<Uint8Array> {
  assert.ok(answer.Body !== undefined);
  return answer.Body.transformToByteArray();
}

/** What today's SDKs send and ask for unless they are told otherwise. */
async function defaults(): Promise<void> {
  const Body = Buffer.from('with the checksum of the SDK’s choice');
  const put = await byPath.send(new sdk.PutObjectCommand({ Bucket, Key: 'plain', Body }));
  assert.equal(put.ChecksumCRC32, crcOf(Body));
  const got = await byPath.send(new sdk.GetObjectCommand({ Bucket, Key: 'plain', ChecksumMode: 'ENABLED' }));
  assert.equal(got.ChecksumCRC32, put.ChecksumCRC32);
  assert.deepEqual(Buffer.from(await bytesOf(got)), Body);
  const attributes = await byPath.send(
    new sdk.GetObjectAttributesCommand({ Bucket, Key: 'plain', ObjectAttributes: ['Checksum', 'ETag', 'ObjectSize'] }),
  );
  assert.equal(attributes.Checksum?.ChecksumCRC32, put.ChecksumCRC32);
  assert.equal(attributes.Checksum.ChecksumType, 'FULL_OBJECT');
  assert.equal(attributes.ObjectSize, Body.length);
}

/** Streams go out in chunks with the checksum behind them. */
async function trailers(): Promise<void> {
  const bytes = Buffer.alloc(3 * MIB + 17, 'trailer ');
  for (const ChecksumAlgorithm of ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const) {
    const Body = Readable.from([bytes.subarray(0, MIB), bytes.subarray(MIB)]);
    const asked = { Bucket, Key: ChecksumAlgorithm, Body, ContentLength: bytes.length, ChecksumAlgorithm };
    const put = await byPath.send(new sdk.PutObjectCommand(asked));
    const got = await byPath.send(
      new sdk.GetObjectCommand({ Bucket, Key: ChecksumAlgorithm, ChecksumMode: 'ENABLED' }),
    );
    assert.equal(sha256(await bytesOf(got)), sha256(bytes));
    const name = `Checksum${ChecksumAlgorithm}` as const;
    assert.ok(put[name] !== undefined && put[name] === got[name]);
  }
  const wrong = { Bucket, Key: 'wrong', Body: 'x', ChecksumCRC32: crcOf(Buffer.from('y')) };
  await refused('BadDigest', byPath.send(new sdk.PutObjectCommand(wrong)));
  await refused('NotFound', byPath.send(new sdk.HeadObjectCommand({ Bucket, Key: 'wrong' })));
}

async function conditions(): Promise<void> {
  const only = { Bucket, Key: 'only once', IfNoneMatch: '*' };
  const tries = await Promise.allSettled(
    Array.from({ length: 8 }, (_, at) => byPath.send(new sdk.PutObjectCommand({ ...only, Body: `${at}` }))),
  );
  const won = tries.flatMap((one, at) => (one.status === 'fulfilled' ? [{ at, etag: one.value.ETag }] : []));
  assert.equal(won.length, 1);
  const found = await byPath.send(new sdk.GetObjectCommand({ Bucket, Key: 'only once' }));
  assert.equal(await found.Body?.transformToString(), String(won[0]?.at));
  await refused('PreconditionFailed', byPath.send(new sdk.PutObjectCommand({ ...only, Body: 'late' })));
  const next = { Bucket, Key: 'only once', Body: 'next', IfMatch: won[0]?.etag };
  await byPath.send(new sdk.PutObjectCommand(next));
  await refused('PreconditionFailed', byPath.send(new sdk.PutObjectCommand(next)));
}

/** Nobody knows how much comes: the SDK sends parts, with checksums. */
async function unknownLength(): Promise<void> {
  const hash = createHash('sha256');
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < 19; at += 1) {
      const piece = Buffer.alloc(MIB - at, at);
      hash.update(piece);
      yield piece;
    }
  }
  const params = { Bucket, Key: 'unknown', Body: Readable.from(pieces(), { objectMode: false }) };
  const done = await new Upload({ client: byPath, params, partSize: 5 * MIB, queueSize: 3 }).done();
  assert.match(done.ETag ?? '', /-4"$/);
  const got = await byPath.send(new sdk.GetObjectCommand({ Bucket, Key: 'unknown', ChecksumMode: 'ENABLED' }));
  assert.equal(sha256(await bytesOf(got)), hash.digest('hex'));
  const ObjectAttributes: sdk.ObjectAttributes[] = ['Checksum', 'ObjectParts', 'ObjectSize'];
  const told = await byPath.send(new sdk.GetObjectAttributesCommand({ Bucket, Key: 'unknown', ObjectAttributes }));
  assert.equal(told.ObjectParts?.TotalPartsCount, 4);
  assert.ok(told.Checksum?.ChecksumCRC32 !== undefined);
  const second = await byPath.send(
    new sdk.GetObjectCommand({ Bucket, Key: 'unknown', PartNumber: 2, ChecksumMode: 'ENABLED' }),
  );
  assert.equal((await bytesOf(second)).length, 5 * MIB);
}

/** Put by one that sends no checksum, got by one that wants to verify. */
async function fromOldClients(): Promise<void> {
  const old = new sdk.S3Client({
    ...{ ...common, endpoint, forcePathStyle: true },
    ...{ requestChecksumCalculation: 'WHEN_REQUIRED', responseChecksumValidation: 'WHEN_REQUIRED' },
  });
  const Body = Buffer.from('without a checksum');
  await old.send(new sdk.PutObjectCommand({ Bucket, Key: 'old', Body }));
  const got = await byPath.send(new sdk.GetObjectCommand({ Bucket, Key: 'old', ChecksumMode: 'ENABLED' }));
  assert.equal(got.ChecksumCRC32, crcOf(Body));
  assert.equal(got.ChecksumType, 'FULL_OBJECT');
  assert.deepEqual(Buffer.from(await bytesOf(got)), Body);
  const params = { Bucket, Key: 'old parts', Body: Buffer.alloc(11 * MIB, 'old') };
  await new Upload({ client: old, params, partSize: 5 * MIB }).done();
  const parts = await byPath.send(new sdk.GetObjectCommand({ Bucket, Key: 'old parts', ChecksumMode: 'ENABLED' }));
  assert.equal(parts.ChecksumCRC32, crcOf(params.Body));
  assert.equal(sha256(await bytesOf(parts)), sha256(params.Body));
  old.destroy();
}

/** By the bucket's own name before the host: below localhost, which is loopback by RFC 6761 and not every resolver knows. */
async function virtualHost(): Promise<void> {
  const asked: string[] = [];
  const lookup: LookupFunction = (name, { all }, done) => {
    asked.push(name);
    const found = { address: '127.0.0.1', family: 4 };
    if (all === true) done(null, [found]);
    else done(null, found.address, found.family);
  };
  const requestHandler = { httpAgent: new Agent({ lookup }) };
  const client = new sdk.S3Client({
    ...common,
    ...{ endpoint: endpoint.replace('127.0.0.1', 'localhost'), requestHandler },
  });
  await client.send(new sdk.PutObjectCommand({ Bucket, Key: 'by host/ü', Body: 'host' }));
  const got = await client.send(new sdk.GetObjectCommand({ Bucket, Key: 'by host/ü' }));
  assert.equal(await got.Body?.transformToString(), 'host');
  assert.deepEqual([...new Set(asked)], [`${Bucket}.localhost`]);
  client.destroy();
}

async function end(): Promise<void> {
  const keys: string[] = [];
  const pages = sdk.paginateListObjectsV2({ client: byPath, pageSize: 3 }, { Bucket });
  for await (const page of pages) keys.push(...(page.Contents ?? []).map((one) => one.Key ?? ''));
  assert.ok(keys.includes('unknown') && keys.includes('old'));
  const Objects = keys.map((Key) => ({ Key }));
  const gone = await byPath.send(new sdk.DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  assert.deepEqual([gone.Deleted?.length, gone.Errors ?? []], [keys.length, []]);
  await byPath.send(new sdk.DeleteBucketCommand({ Bucket }));
  await refused('NoSuchBucket', byPath.send(new sdk.ListObjectsV2Command({ Bucket })));
}

await byPath.send(new sdk.CreateBucketCommand({ Bucket }));
for (const turn of [defaults, trailers, conditions, unknownLength, fromOldClients, virtualHost, end]) await turn();
byPath.destroy();
console.log('the day is over');
