import type { CachedImage, Evicted, EvictOrder, ImageTransfer } from './image-cache.ts';

export interface ImageFile {
  readonly blobKey: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly format: 'raw' | 'qcow2' | 'kernel' | 'ramdisk';
  readonly kind: 'machine' | 'kernel' | 'ramdisk';
}

export interface OverlaySpec {
  readonly instanceId: string;
  /** From ensureImage. */
  readonly basePath: string;
  readonly baseFormat: 'raw' | 'qcow2';
  readonly virtualSizeBytes: number;
  /** QEMU's user on that host. */
  readonly uid: number;
  readonly gid: number;
  /** The instance has run: its disk is never made anew, an absent one is CloudError 'NotFound'. */
  readonly mustExist?: boolean;
}

/**
 * Image files and instance disks on one host. Every call is in ensure form, and calls for the same thing share one run.
 * Errors: those of HostShell; 'HostError' with the command's own words; 'InsufficientInstanceCapacity' (the host's disk is full).
 */
export interface ImageStore {
  /**
   * The path of the image's bytes on the host, digest checked; uploaded if they are not there, for which unused ones may go. With `start` (the default) a disk
   * is about to be made on it: until then it stays, for some minutes.
   */
  ensureImage(image: ImageFile, options?: { readonly start?: boolean }): Promise<string>;
  /** The path of the instance's root disk; one that exists is kept whatever the spec says. */
  ensureOverlay(spec: OverlaySpec): Promise<string>;
  /** Writes the disk that tells the guest who it is, readable by its owner alone; its path. The instance's folder is there. */
  writeSeed(instanceId: string, image: Buffer, owner: { readonly uid: number; readonly gid: number }): Promise<string>;
  /** Disk and all. Absent is success. */
  removeInstanceDir(instanceId: string): Promise<void>;
  /** Ids of the instances that have a folder. */
  listInstanceDirs(): Promise<string[]>;
  /** Images that are there, the least recently used first. */
  listImages(): Promise<CachedImage[]>;
  /** Images that are on their way in this session. */
  transfers(): ImageTransfer[];
  /** Errors: 'Conflict' when the one that is named is in use; details.usedBy says by what. Absent is success. */
  evictImages(order: EvictOrder): Promise<Evicted>;
  /** Image files whose digest is not to be kept and that are old enough, and halves of uploads, and what is over the budget; their paths. Never what a disk stands on. Without `remove` they stay. */
  collect(order: {
    readonly keepSha256: readonly string[];
    readonly minAgeMs: number;
    readonly remove: boolean;
  }): Promise<string[]>;
}
