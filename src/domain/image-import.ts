/** An object as it was when the image was registered: what is read later must be the same bytes. */
export interface PinnedObject {
  readonly bucket: string;
  readonly key: string;
  /** Absent where the store does not say. */
  readonly versionId?: string;
  /** Absent: it was not looked at yet. */
  readonly etag?: string;
}

/** Where the bytes of an image come from, where they are not sent by its owner. */
export type ImageSource =
  /** An object that is the image itself. */
  | ({ readonly kind: 'object' } & PinnedObject)
  /** An EC2 bundle: the manifest names the parts, which are objects beside it, by their digests. */
  | ({ readonly kind: 'bundle' } & PinnedObject)
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
