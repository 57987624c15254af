import type { ImageFacts } from '../../domain/image-format.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { BlobInfo } from '../../ports/blobs.ts';

type Bytes = Pick<
  ImageRecord,
  'architecture' | 'format' | 'blobKey' | 'sizeBytes' | 'virtualSizeBytes' | 'sha256' | 'notes'
>;

/** What the record says of its bytes. The architecture is what somebody said, or else what the bytes say. */
export function bytesOf(
  blob: BlobInfo,
  facts: ImageFacts,
  said: ImageRecord['architecture'] | undefined,
  notes: readonly string[] = [],
): Bytes {
  return {
    architecture: said ?? facts.architecture ?? 'x86_64',
    format: facts.format,
    blobKey: blob.key,
    sizeBytes: blob.sizeBytes,
    virtualSizeBytes: facts.virtualSizeBytes,
    sha256: blob.sha256,
    ...(notes.length === 0 ? {} : { notes: [...notes] }),
  };
}
