import type { BlobInfo } from './blobs.ts';

/** QEMU's user on the host: who may read disks there, and as whom they are converted. */
export interface DiskOwner {
  readonly uid: number;
  readonly gid: number;
}

export interface CopyOrder {
  readonly imageId: string;
  readonly instanceId: string;
  readonly owner: DiskOwner;
  /** The copy is killed then: CloudError 'Timeout'. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface FlattenOrder {
  readonly imageId: string;
  /** Where the image's bytes are stored. */
  readonly blobKey: string;
  readonly owner: DiskOwner;
  readonly signal: AbortSignal;
  readonly onProgress: (step: 'flattening' | 'sending', doneBytes: number, totalBytes: number) => void;
}

/** A disk of its own, without a backing file. */
export interface FlatDisk {
  readonly blob: BlobInfo;
  readonly virtualSizeBytes: number;
  readonly format: 'qcow2';
}

/** A guest that is paused while its disk is copied. */
export interface PausedGuest {
  readonly instanceId: string;
  readonly domainUuid: string;
}

/**
 * Images of instances' disks, made on their host. Errors: those of HostShell; 'HostError' with the command's own words; 'NotFound' (no such disk);
 * 'InsufficientInstanceCapacity' (the host's disk is full); the signal's reason.
 */
export interface DiskCaptures {
  /** Copies the instance's overlay as it is now; who calls sees to it that nobody writes to it. */
  copy(order: CopyOrder): Promise<void>;
  /** Makes one disk of the copy and what it stands on, and stores it. The digest is the one that the host counted. */
  flatten(order: FlattenOrder): Promise<FlatDisk>;
  /** Removes what `copy` and `flatten` left for the image. Absent is success. */
  drop(imageId: string): Promise<void>;
  /** Files of images that nobody makes in this session; with `remove` they go. Their paths. */
  leftovers(order: { readonly remove: boolean }): Promise<string[]>;
  /** On the host, synced, before the guest is paused: whoever has the host next resumes it. */
  notePaused(guest: PausedGuest): Promise<void>;
  forgetPaused(instanceId: string): Promise<void>;
  listPaused(): Promise<PausedGuest[]>;
}
