/** What a backend may be able to do, beside making, attaching, detaching and removing volumes. */
export const VOLUME_CAPABILITIES = ['grow', 'grow-attached', 'snapshots', 'copy-snapshots'] as const;
export type VolumeCapability = (typeof VOLUME_CAPABILITIES)[number];

export interface VolumeSpec {
  readonly volumeId: string;
  readonly sizeGib: number;
  readonly zone: string;
  /** Its data to begin with; absent: zeros. */
  readonly snapshotId?: string;
}

/** A volume's place at an instance. */
export interface AttachSpec {
  readonly volumeId: string;
  readonly instanceId: string;
  readonly hostId: string;
  readonly device: string;
}

export interface SnapshotSpec {
  readonly snapshotId: string;
  readonly from: { readonly volumeId: string } | { readonly snapshotId: string };
}

/** What there is of ours. */
export interface VolumeInventory {
  readonly volumes: readonly {
    readonly volumeId: string;
    readonly sizeGib: number;
    /** The instance that has it. */
    readonly instanceId?: string;
  }[];
  readonly snapshots: readonly string[];
}

/**
 * Volumes and snapshots of a whole cloud. Every call is in ensure form: twice is as good as once, and what is there already is success. What a
 * call that failed has done is unknown until it is made again.
 * Errors: CloudError 'HostError', 'Unavailable' (nothing can be asked now), 'NotFound' (the volume or snapshot that it is made of is not there),
 * 'Busy' (another instance has the volume; it is still attached).
 */
export interface VolumeBackend {
  readonly capabilities: readonly VolumeCapability[];
  ensureVolume(spec: VolumeSpec): Promise<void>;
  /** Refuses ('Busy') while it is attached. Absent is success. */
  removeVolume(volumeId: string): Promise<void>;
  /** Refuses ('Busy') while another instance has it: nothing is ever attached twice. */
  attach(spec: AttachSpec): Promise<void>;
  /** `force`: without asking the guest. A volume that the instance does not have is success. */
  detach(spec: AttachSpec, options: { readonly force: boolean }): Promise<void>;
  /** At least so large; never smaller. */
  grow(volumeId: string, sizeGib: number): Promise<void>;
  ensureSnapshot(spec: SnapshotSpec): Promise<void>;
  /** Absent is success. */
  removeSnapshot(snapshotId: string): Promise<void>;
  inventory(): Promise<VolumeInventory>;
}
