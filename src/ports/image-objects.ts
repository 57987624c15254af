import type { Readable } from 'node:stream';
import type { ImageAsker } from '../domain/image-import.ts';

export interface ImageObject {
  readonly sizeBytes: number;
  /** Without quotes. */
  readonly etag: string;
  /** Bytes from `start` (default 0) to `end` exclusive (default all), as they are now: of one version. Errors come out of the stream. */
  read(range?: { readonly start?: number; readonly end?: number }): Promise<Readable>;
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
