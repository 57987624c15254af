/** An image file on a host, whole and checked. */
export interface CachedImage {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly kind: 'machine' | 'kernel' | 'ramdisk';
  readonly format: string;
  /** By the host's clock: when an instance was last started of it. */
  readonly lastUsedMs: number;
  /** What stands on it, by what the disks on the host say: ids of instances, names of files. */
  readonly usedBy: readonly string[];
}

export interface EvictOrder {
  /** Absent: all that are not in use. */
  readonly sha256?: string | undefined;
  /** What the records say; the host's own disks count beside them. */
  readonly inUse: readonly { readonly sha256: string; readonly by: string }[];
  /** There are instances on the host that the records do not know. */
  readonly unknownGuests: boolean;
}

export interface Evicted {
  readonly removed: readonly string[];
  readonly removedBytes: number;
}

/** An image on its way to the host. */
export interface ImageTransfer {
  readonly sha256: string;
  readonly doneBytes: number;
  readonly totalBytes: number;
}
