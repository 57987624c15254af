import { Readable } from 'node:stream';
import { CloudError } from '../../../base/errors.ts';
import { MIB } from '../../../base/units.ts';
import type { PartSent } from '../../../client/s3/s3-client.ts';
import { PART_BYTES } from './part-plan.ts';
import { digestBytes } from './read-range.ts';
import type { SendParts, Sent } from './send-object.ts';

/** Nobody knows how much will come: parts grow, so that 10,000 of them are enough for 480 GiB. */
const LARGER_FROM_PART = 2000;
const LARGER_BYTES = 64 * MIB;
const PARTS_MAX = 10_000;

/** Pieces of a stream, each of the size that is asked for when it begins, the last as it is. At least one, which may be empty. */
export async function* piecesOf(
  input: AsyncIterable<Buffer | string>,
  sizeOf: (index: number) => number,
): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  let index = 0;
  for await (const chunk of input) {
    let rest = Buffer.from(chunk);
    while (heldBytes + rest.length >= sizeOf(index)) {
      const take = sizeOf(index) - heldBytes;
      yield Buffer.concat([...held, rest.subarray(0, take)]);
      rest = rest.subarray(take);
      [held, heldBytes] = [[], 0];
      index += 1;
    }
    if (rest.length > 0) held.push(rest);
    heldBytes += rest.length;
  }
  if (heldBytes > 0 || index === 0) yield Buffer.concat(held);
}

const body = (bytes: Buffer, onBytes: (bytes: number) => void): Readable =>
  Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += MIB) {
        const chunk = bytes.subarray(at, at + MIB);
        onBytes(chunk.length);
        yield chunk;
      }
    })(),
    { objectMode: false },
  );

/** What comes in on a stream as an object. It can't be read twice, so it can't be resumed: cut off, nothing is left of it. */
export async function sendStream(
  parts: SendParts,
  input: AsyncIterable<Buffer | string>,
  { bucket, key }: { readonly bucket: string; readonly key: string },
): Promise<Sent> {
  const { s3, bar, headers } = parts;
  const onBytes = (bytes: number): void => bar.moved(bytes);
  const sent: PartSent[] = [];
  let uploadId: string | undefined;
  let sizeBytes = 0;
  try {
    for await (const piece of piecesOf(input, (n) => (n < LARGER_FROM_PART ? PART_BYTES : LARGER_BYTES))) {
      const digests = digestBytes(piece);
      sizeBytes += piece.length;
      if (uploadId === undefined && piece.length < PART_BYTES) {
        return { bucket, key, sizeBytes, etag: await s3.put(bucket, key, body(piece, onBytes), digests, headers) };
      }
      uploadId ??= await s3.createUpload(bucket, key, headers);
      const number = sent.length + 1;
      if (number > PARTS_MAX) throw new CloudError('EntityTooLarge', 'FILE: more comes than fits into 10,000 parts');
      const etag = await s3.putPart({ bucket, key, uploadId, number }, body(piece, onBytes), digests);
      sent.push({ number, etag, crc32: digests.crc32 });
    }
    const { etag } = await s3.completeUpload(bucket, key, uploadId ?? '', sent);
    return { bucket, key, sizeBytes, etag };
  } catch (error) {
    if (uploadId !== undefined) await s3.detached().abortUpload(bucket, key, uploadId);
    throw error;
  }
}
