import type { Readable } from 'node:stream';
import type { ImageFacts, ImageKind } from '../domain/image-format.ts';
import type { BlobInfo } from './blobs.ts';

export interface BuildOrder {
  /** Names the work folder: one build of an image at a time. */
  readonly imageId: string;
  readonly kind: ImageKind;
  /** Of the source, where it is known. */
  readonly sizeBytes?: number;
  /** Of the disk inside; larger is refused. */
  readonly maxVirtualBytes: number;
  readonly onProgress?: (step: string, doneBytes: number, totalBytes?: number) => void;
  readonly signal: AbortSignal;
}

export interface BuiltImage {
  /** Stored and synced; its key is `upload/blob-…` like that of an upload. */
  readonly blob: BlobInfo;
  readonly facts: ImageFacts;
  /** What its owner should know: what its facts say, and what was done to it (`converted from vmdk`). */
  readonly notes: readonly string[];
}

/** Makes image bytes out of what somebody else wrote, and trusts none of it. Whatever happens, nothing is left in its work folder, and a refused one leaves no blob. */
export interface ImageWorkshop {
  /**
   * Takes the whole source, looks at what it is, converts what has to be (vmdk), stores the result. Errors: 'InvalidImage.Format' with the reason (backing file,
   * data file, virtual size, cut off, wrong kind, another host file); what the source throws; 'Unavailable' (disk full, no qemu-img to convert with); the signal's reason.
   */
  build(source: Readable, order: BuildOrder): Promise<BuiltImage>;
  /** Removes the work folders of processes that are no more. Called once at the start, before any build. */
  clean(): Promise<void>;
}
