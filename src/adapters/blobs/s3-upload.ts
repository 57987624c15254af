import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { expectDigest, tooLarge } from './blob-key.ts';
import { partsOf } from './s3-body.ts';
import type { S3Endpoint } from './s3-endpoint.ts';

/** S3 takes no smaller ones but the last, and no more of them. Some endpoints want all of one size. */
const PART_BYTES = 8 * 1024 * 1024;
const PARTS_MAX = 10_000;
/** On their way at once; one more is being filled and one waits: what a put needs of memory. */
const PARALLEL = 2;
const CONTENT_TYPE = 'application/octet-stream';

export interface UploadOrder {
  /** For errors: the blob's. */
  readonly label: string;
  readonly objectKey: string;
  readonly expectSha256?: string | undefined;
  readonly maxBytes?: number | undefined;
}

export interface Uploaded {
  readonly sizeBytes: number;
  readonly sha256: string;
}

type Part = { readonly PartNumber: number; readonly ETag: string | undefined };

/** The size that all parts have, so that there are never too many. */
export function partBytesOf(maxBytes: number | undefined): number {
  const mib = 1024 * 1024;
  return Math.max(PART_BYTES, Math.ceil((maxBytes ?? 0) / (PARTS_MAX - 1) / mib) * mib);
}

/**
 * Sends a stream of any length to one object, which is there whole when it resolves and not at all when it rejects (but for an answer that was lost). Errors: those of
 * the stream, 'RequestTooLarge', 'InvalidParameterValue' (another digest), 'Unavailable'.
 */
export async function uploadStream(endpoint: S3Endpoint, body: Readable, order: UploadOrder): Promise<Uploaded> {
  const { label, objectKey, expectSha256 } = order;
  const partBytes = partBytesOf(order.maxBytes);
  const maxBytes = order.maxBytes ?? partBytes * PARTS_MAX;
  const hash = createHash('sha256');
  let sizeBytes = 0;
  const parts = partsOf(body, partBytes, (bytes) => {
    sizeBytes += bytes.length;
    if (sizeBytes > maxBytes) throw tooLarge(label, maxBytes);
    hash.update(bytes);
  });
  let sha256 = '';
  const accept = (): void => {
    sha256 = hash.digest('hex');
    expectDigest(label, sha256, expectSha256);
  };
  const first = await parts.next();
  if (first.done === true || first.value.isLast) {
    accept();
    await putWhole(endpoint, objectKey, first.value?.bytes ?? Buffer.alloc(0));
  } else {
    await putParts(endpoint, objectKey, { first: first.value.bytes, rest: parts, accept });
  }
  return { sizeBytes, sha256 };
}

async function putWhole(endpoint: S3Endpoint, key: string, bytes: Buffer): Promise<void> {
  const at = { Bucket: endpoint.bucket, Key: key };
  const command = new PutObjectCommand({ ...at, Body: bytes, ContentLength: bytes.length, ContentType: CONTENT_TYPE });
  await endpoint.ask((client, options) => client.send(command, options), { timeoutMs: endpoint.partTimeoutMs });
}

interface Parts {
  readonly first: Buffer;
  readonly rest: AsyncIterable<{ readonly bytes: Buffer }>;
  readonly accept: () => void;
}

async function putParts(endpoint: S3Endpoint, key: string, { first, rest, accept }: Parts): Promise<void> {
  const at = { Bucket: endpoint.bucket, Key: key };
  const timeoutMs = endpoint.partTimeoutMs;
  const { UploadId } = await endpoint.ask((client, options) =>
    client.send(new CreateMultipartUploadCommand({ ...at, ContentType: CONTENT_TYPE }), options),
  );
  const failed = new AbortController();
  const sent: Part[] = [];
  const underWay = new Set<Promise<void>>();
  const send = async (bytes: Buffer, PartNumber: number): Promise<void> => {
    const command = new UploadPartCommand({ ...at, UploadId, PartNumber, Body: bytes, ContentLength: bytes.length });
    const asked = { timeoutMs, signal: failed.signal };
    const { ETag } = await endpoint.ask((client, options) => client.send(command, options), asked);
    sent.push({ PartNumber, ETag });
  };
  const start = async (bytes: Buffer, number: number): Promise<void> => {
    while (underWay.size >= PARALLEL) await Promise.race(underWay);
    failed.signal.throwIfAborted();
    // What fails here is thrown below, by the signal: whoever is first to fail says why.
    const one = send(bytes, number)
      .catch((error: unknown) => failed.abort(error))
      .finally(() => underWay.delete(one));
    underWay.add(one);
  };
  try {
    let number = 1;
    await start(first, number);
    for await (const { bytes } of rest) await start(bytes, (number += 1));
    await Promise.all(underWay);
    failed.signal.throwIfAborted();
    accept();
    const Parts = sent.toSorted((a, b) => a.PartNumber - b.PartNumber);
    const complete = new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts } });
    await endpoint.ask((client, options) => client.send(complete, options), { timeoutMs });
  } catch (error) {
    failed.abort(error);
    await Promise.all(underWay);
    const abort = new AbortMultipartUploadCommand({ ...at, UploadId });
    // Should this fail, the sweep removes it a day later; why the upload failed is the answer.
    await endpoint.ask((client, options) => client.send(abort, options), { once: true }).catch(() => undefined);
    throw error;
  }
}
