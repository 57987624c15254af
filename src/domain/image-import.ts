/** Where the bytes of an image come from, where they are not sent by its owner. */
export type ImageSource =
  /** An object that is the image itself. */
  | { readonly kind: 'object'; readonly bucket: string; readonly key: string; readonly versionId?: string }
  /** An EC2 bundle: the manifest names the parts, which are objects beside it. */
  | { readonly kind: 'bundle'; readonly bucket: string; readonly key: string }
  /** Bytes that were sent, and are to be converted. */
  | { readonly kind: 'upload'; readonly blobKey: string }
  /** The disk of an instance, read on its host. */
  | { readonly kind: 'instance'; readonly instanceId: string; readonly hostId: string };

/** Who asked for it: what the object store is to ask of. Roles as they were then. */
export interface ImageAsker {
  readonly name: string;
  /** In the directory; absent: the administrator of the machine. */
  readonly userName?: string;
  readonly projectId: string;
  readonly roles: readonly string[];
}

/**
 * An image that is being made. It is there as long as the image is pending, and goes in the transaction that makes the image available or failed. Whoever finds
 * it without a living controller takes it over, so that nothing stays pending for ever.
 */
export interface ImageImportRecord {
  readonly v: 1;
  readonly imageId: string;
  readonly source: ImageSource;
  readonly asker: ImageAsker;
  readonly operationId: string;
  /** As its owner said; absent: what the bytes or the manifest say. */
  readonly architecture?: 'x86_64' | 'arm64';
  /** The process that works on it (ProcessFacts.session); absent: nobody yet. */
  readonly session?: string;
  /** How often it was begun. */
  readonly attempts: number;
  /** For people: `reading`, `converting`, … */
  readonly step: string;
  readonly doneBytes: number;
  /** Absent: not known. */
  readonly totalBytes?: number;
  /** In this step; absent: too early to say. */
  readonly bytesPerSecond?: number;
  readonly startedAtMs: number;
  readonly updatedAtMs: number;
}
