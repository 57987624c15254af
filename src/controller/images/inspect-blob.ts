import type { ImageFacts } from '../../domain/image-format.ts';
import { IMAGE_HEAD_BYTES, IMAGE_TAIL_BYTES, inspectImage } from '../../domain/image-format.ts';
import type { BlobInfo, Blobs } from '../../ports/blobs.ts';

/** What stored bytes are, by looking at them: what anybody says of them is not trusted. Errors: those of inspectImage and of Blobs. */
export async function inspectBlob(blobs: Pick<Blobs, 'read'>, blob: BlobInfo): Promise<ImageFacts> {
  const head = await readRange(blobs, blob, 0, IMAGE_HEAD_BYTES);
  const tail = await readRange(blobs, blob, Math.max(0, blob.sizeBytes - IMAGE_TAIL_BYTES), blob.sizeBytes);
  return inspectImage(head, blob.sizeBytes, tail);
}

/** Bytes of a blob from `start` to `end` exclusive, or to its end where that comes first. */
export async function readRange(
  blobs: Pick<Blobs, 'read'>,
  blob: BlobInfo,
  start: number,
  end: number,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of await blobs.read(blob.key, { start, end: Math.min(end, blob.sizeBytes) }))
    parts.push(part as Buffer);
  return Buffer.concat(parts);
}
