import { CloudError } from '../base/errors.ts';
import type { Retry } from './volume.ts';

/** What is being deleted is not shown any more; a deleted one has no record. */
export type SnapshotState = 'pending' | 'completed' | 'error' | 'deleting';

/** The one table of legal transitions. From deleting the record goes. */
export const SNAPSHOT_TRANSITIONS: Readonly<Record<SnapshotState, readonly SnapshotState[]>> = {
  pending: ['completed', 'error', 'deleting'],
  completed: ['deleting'],
  error: ['deleting'],
  deleting: [],
};

export interface SnapshotRecord {
  readonly v: 1;
  readonly id: string;
  readonly projectId: string;
  /** Who made it, when that is a user: whose own quota it counts in. */
  readonly user?: string;
  readonly volumeId: string;
  readonly sizeGib: number;
  /** Where its volume was. */
  readonly zone: string;
  readonly description: string;
  readonly state: SnapshotState;
  readonly stateReason?: { readonly code: string; readonly message: string };
  /** It is a copy, of that one. */
  readonly copyOf?: string;
  /** Who else in its region may make volumes of it; projects without their region. */
  readonly public: boolean;
  readonly sharedWith: readonly string[];
  /** Volumes and copies that are still to be made of it. Until then it stays. */
  readonly pendingUses?: readonly string[];
  readonly retry?: Retry;
  readonly createdAtMs: number;
  readonly stateChangedAtMs: number;
  readonly operationId?: string;
}

/** The record in another state; an illegal step is an error of ours, named. */
export function snapshotTransition(
  record: SnapshotRecord,
  to: SnapshotState,
  nowMs: number,
  patch: Partial<SnapshotRecord> = {},
): SnapshotRecord {
  if (record.state === to) return { ...record, ...patch };
  if (!SNAPSHOT_TRANSITIONS[record.state].includes(to)) {
    throw new CloudError('InternalError', `snapshot ${record.id} can't go from ${record.state} to ${to}`);
  }
  return { ...record, ...patch, state: to, stateChangedAtMs: nowMs };
}
