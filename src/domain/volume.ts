import { CloudError } from '../base/errors.ts';

/** A deleted volume has no record any more. */
export type VolumeState = 'creating' | 'available' | 'in-use' | 'deleting' | 'error';

/** The one table of legal transitions (EC2's life cycle). From deleting the record goes. */
export const VOLUME_TRANSITIONS: Readonly<Record<VolumeState, readonly VolumeState[]>> = {
  // A volume of a launch is its instance's before it is made.
  creating: ['available', 'in-use', 'error'],
  available: ['in-use', 'deleting'],
  'in-use': ['available', 'deleting'],
  deleting: [],
  error: ['deleting'],
};

/** What is no more has no attachment. */
export type AttachmentState = 'attaching' | 'attached' | 'detaching';

export const ATTACHMENT_TRANSITIONS: Readonly<Record<AttachmentState, readonly AttachmentState[]>> = {
  attaching: ['attached', 'detaching'],
  attached: ['detaching'],
  detaching: [],
};

/** Names that users may give for the kind of storage. There is one kind; the name is kept, so that clients read what they wrote. */
export const VOLUME_TYPES = ['standard', 'gp2'] as const;
export type VolumeType = (typeof VOLUME_TYPES)[number];

export const VOLUME_MAX_GIB = 16_384;

/** So many volumes an instance may have: what its end writes must fit one transaction. */
export const VOLUMES_PER_INSTANCE = 20;

/** A volume that each instance of a launch gets, all of it looked up. */
export interface LaunchVolume extends Pick<Attachment, 'device' | 'deleteOnTermination'> {
  readonly sizeGib: number;
  readonly volumeType: VolumeType;
  readonly snapshotId?: string;
}

/** Why the next step is not done yet: it failed so often, and is tried again at a time. Of an earlier step it means nothing. */
export interface Retry {
  /** Which step. */
  readonly step: string;
  readonly attempt: number;
  readonly notBeforeMs: number;
  readonly lastError: string;
}

/** Where a volume is attached, or is to be. */
export interface Attachment {
  readonly instanceId: string;
  /** As the user wrote it, for instance /dev/sdf. */
  readonly device: string;
  readonly hostId: string;
  readonly state: AttachmentState;
  readonly sinceMs: number;
  /** When it first was asked for. */
  readonly askedAtMs: number;
  readonly deleteOnTermination: boolean;
  /** Detaching: without asking the guest, or because there is none any more. */
  readonly force?: boolean;
  /** The operation that waits for it, and for what. */
  readonly operation?: { readonly id: string; readonly for: 'attach' | 'detach' };
}

/** The last change of size. */
export interface Modification {
  readonly state: 'modifying' | 'completed' | 'failed';
  readonly fromGib: number;
  readonly fromType: VolumeType;
  readonly toGib: number;
  readonly startedAtMs: number;
  readonly endedAtMs?: number;
  readonly message?: string;
  readonly operationId?: string;
}

export interface VolumeRecord {
  readonly v: 1;
  readonly id: string;
  readonly projectId: string;
  /** Who made it, when that is a user: whose own quota it counts in. */
  readonly user?: string;
  /** As recorded and counted; while it is modified, what it shall become. */
  readonly sizeGib: number;
  readonly volumeType: VolumeType;
  readonly zone: string;
  readonly snapshotId?: string;
  readonly state: VolumeState;
  readonly stateReason?: { readonly code: string; readonly message: string };
  readonly attachment?: Attachment;
  /** It goes once it is detached: its instance ended, and it was to go with it. */
  readonly deleteDetached?: boolean;
  readonly modification?: Modification;
  /** Snapshots that are still to be made of it. Until then it stays. */
  readonly pendingSnapshots?: readonly string[];
  readonly autoEnableIo?: boolean;
  readonly retry?: Retry;
  readonly createdAtMs: number;
  readonly stateChangedAtMs: number;
  /** The operation that made it, or deletes it. */
  readonly operationId?: string;
}

/** The record in another state; an illegal step is an error of ours, named. */
export function volumeTransition(
  record: VolumeRecord,
  to: VolumeState,
  nowMs: number,
  patch: Partial<VolumeRecord> = {},
): VolumeRecord {
  if (record.state === to) return { ...record, ...patch };
  if (!VOLUME_TRANSITIONS[record.state].includes(to)) {
    throw new CloudError('InternalError', `volume ${record.id} can't go from ${record.state} to ${to}`);
  }
  return { ...record, ...patch, state: to, stateChangedAtMs: nowMs };
}

export function attachmentTransition(
  attachment: Attachment,
  to: AttachmentState,
  nowMs: number,
  patch: Partial<Attachment> = {},
): Attachment {
  if (attachment.state === to) return { ...attachment, ...patch };
  if (!ATTACHMENT_TRANSITIONS[attachment.state].includes(to)) {
    throw new CloudError('InternalError', `an attachment can't go from ${attachment.state} to ${to}`);
  }
  return { ...attachment, ...patch, state: to, sinceMs: nowMs };
}

/** The record without some of its optional fields. */
export function withoutFields<R extends object, K extends keyof R>(record: R, ...fields: K[]): Omit<R, K> {
  const dropped: readonly PropertyKey[] = fields;
  return Object.fromEntries(Object.entries(record).filter(([field]) => !dropped.includes(field))) as Omit<R, K>;
}

/** Which volumes an instance has: one record an instance, so that a device name is taken by one volume at most. */
export interface InstanceVolumesRecord {
  readonly v: 1;
  /** Device slot (see deviceSlot) -> volume id. */
  readonly volumes: Readonly<Record<string, string>>;
}

/**
 * The place that a device name means: /dev/sdf, sdf, /dev/xvdf and /dev/vdf are one. Undefined: no name of a device, or the root disk's or the
 * seed's (a and b).
 */
export function deviceSlot(device: string): string | undefined {
  const letter = /^(?:\/dev\/)?(?:sd|xvd|vd|hd)([a-z])(\d{0,2})$/.exec(device);
  if (letter === null || letter[1] === 'a' || letter[1] === 'b') return undefined;
  return `${letter[1] ?? ''}${letter[2] ?? ''}`;
}
