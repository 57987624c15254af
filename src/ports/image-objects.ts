import type { Readable } from 'node:stream';
import type { ImageAsker } from '../domain/image-import.ts';

/** Who waits for bytes that have to be fetched first. */
export interface ReadWatch {
  readonly signal?: AbortSignal;
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void;
}

export interface ImageObject {
  readonly sizeBytes: number;
  /** Without quotes. */
  readonly etag: string;
  /** Absent where the store does not say. */
  readonly versionId?: string;
  /**
   * Bytes from `start` (default 0) to `end` exclusive (default all), as they are now: of one version. Errors come out of the stream, or before it where the bytes
   * are fetched first: 'Unavailable' when the object is another one by then. A stream that is not read to its end is to be destroyed.
   */
  read(range?: { readonly start?: number; readonly end?: number }, watch?: ReadWatch): Promise<Readable>;
}

/** Objects that images are made of: of this cloud's own object store, or of an S3 endpoint elsewhere. */
export interface ImageObjects {
  /**
   * The object as the asker may read it. Errors: 'NoSuchBucket', 'NoSuchKey', 'NoSuchObjectVersion', 'AccessDenied'; 'Unavailable' when the store can't be
   * asked now; 'UnsupportedOperation' where this process has none and knows of none.
   */
  open(
    asker: ImageAsker,
    object: { readonly bucket: string; readonly key: string; readonly versionId?: string },
  ): Promise<ImageObject>;
}
