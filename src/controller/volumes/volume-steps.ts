import type { SnapshotRecord } from '../../domain/snapshot.ts';
import { snapshotTransition } from '../../domain/snapshot.ts';
import type { Retry, VolumeRecord } from '../../domain/volume.ts';
import { attachmentTransition, volumeTransition, withoutFields } from '../../domain/volume.ts';

export type VolumeStep = 'create' | 'attach' | 'detach' | 'grow' | 'remove';
export type SnapshotStep = 'create' | 'remove';

/** How a step ended; absent error: it is done. */
export interface StepEnd {
  readonly nowMs: number;
  readonly error?: string;
  readonly maxAttempts: number;
}

/** What is written after a step. */
export interface StepResult<R> {
  /** Undefined: the thing is gone, and its record goes. */
  readonly next: R | undefined;
  /** This operation is done for the thing. */
  readonly finished?: { readonly operationId: string | undefined; readonly error?: string };
  /** GiB that are claimed and will not be used. */
  readonly releaseGib?: number;
  /** The instance has it no more. */
  readonly detached?: true;
  /** It is made of its snapshot, or will never be. */
  readonly sourceFree?: true;
}

const BACKOFF_MS = 1000;
const BACKOFF_MAX_MS = 60_000;

/**
 * What the backend is to be asked next for a volume; undefined: nothing. A function of the record alone, so that it may be asked at any time and by
 * whoever comes after a process that died: each step is in ensure form.
 */
export function nextVolumeStep(record: VolumeRecord): VolumeStep | undefined {
  if (record.state === 'creating') return 'create';
  if (record.attachment?.state === 'detaching') return 'detach';
  if (record.modification?.state === 'modifying') return 'grow';
  if (record.attachment?.state === 'attaching' && record.state === 'in-use') return 'attach';
  // What is still to be copied from it must be there.
  if (record.state === 'deleting' && (record.pendingSnapshots ?? []).length === 0) return 'remove';
  return undefined;
}

export function nextSnapshotStep({ state }: SnapshotRecord): SnapshotStep | undefined {
  return state === 'pending' ? 'create' : state === 'deleting' ? 'remove' : undefined;
}

/** Names what is under way, so that the end of a step is not taken for that of another which came into its place meanwhile. */
export function volumeStepName(record: VolumeRecord): string | undefined {
  const step = nextVolumeStep(record);
  if (step === undefined) return undefined;
  const { attachment, modification } = record;
  const which = { attach: attachment?.askedAtMs, detach: attachment?.askedAtMs, grow: modification?.startedAtMs };
  return `${step} ${step in which ? (which[step as keyof typeof which] ?? '') : ''}`;
}

/** The record after a step of it has ended, well or not. */
export function afterVolumeStep(record: VolumeRecord, step: VolumeStep, end: StepEnd): StepResult<VolumeRecord> {
  return end.error === undefined ? DONE[step](idle(record), end.nowMs) : failed(record, step, end, end.error);
}

type Done = (record: VolumeRecord, nowMs: number) => StepResult<VolumeRecord>;

const DONE: Readonly<Record<VolumeStep, Done>> = {
  create: (record, nowMs) =>
    record.attachment === undefined
      ? {
          next: volumeTransition(record, 'available', nowMs),
          finished: { operationId: record.operationId },
          sourceFree: true,
        }
      : // The launch that it was made for waits until it is attached.
        { next: volumeTransition(record, 'in-use', nowMs), sourceFree: true },
  attach: (record, nowMs) => {
    const { attachment } = record;
    if (attachment === undefined) return { next: record };
    return {
      next: { ...record, attachment: attachmentTransition(attachment, 'attached', nowMs) },
      finished: { operationId: attachment.operation?.id },
    };
  },
  detach: (record, nowMs) => {
    const rest = withoutFields(record, 'attachment', 'deleteDetached');
    const operation = record.attachment?.operation;
    // What could not be made for a launch stays as it is.
    const left = record.state === 'error' ? 'error' : 'available';
    const to = record.deleteDetached === true ? 'deleting' : left;
    return {
      next: volumeTransition(rest, to, nowMs),
      finished: {
        operationId: operation?.id,
        ...(operation?.for === 'attach' ? { error: 'its instance ended before the volume was attached' } : {}),
      },
      detached: true,
    };
  },
  grow: (record, nowMs) => {
    const { modification } = record;
    if (modification === undefined) return { next: record };
    return {
      next: { ...record, modification: { ...modification, state: 'completed', endedAtMs: nowMs } },
      finished: { operationId: modification.operationId },
    };
  },
  remove: (record) => ({ next: undefined, finished: { operationId: record.operationId } }),
};

/** Making, attaching and growing are given up in the end; detaching and removing never, since nobody else would do it. */
function failed(
  record: VolumeRecord,
  step: VolumeStep,
  { nowMs, maxAttempts }: StepEnd,
  error: string,
): StepResult<VolumeRecord> {
  const retry = nextRetry(record.retry, step, nowMs, error);
  if (retry.attempt < maxAttempts || step === 'detach' || step === 'remove') return { next: { ...record, retry } };
  const message = `${step} failed ${retry.attempt} times; last: ${error}`;
  const rest = idle(record);
  if (step === 'create') {
    return {
      next: volumeTransition(rest, 'error', nowMs, { stateReason: { code: 'Server.InternalError', message } }),
      finished: { operationId: record.operationId, error: message },
      sourceFree: true,
    };
  }
  const { attachment, modification } = record;
  if (step === 'attach' && attachment !== undefined) {
    // It may be attached all the same: only what was detached is known not to be.
    const { operation, ...idleAttachment } = attachment;
    const detaching = attachmentTransition(idleAttachment, 'detaching', nowMs, { force: true });
    return { next: { ...rest, attachment: detaching }, finished: { operationId: operation?.id, error: message } };
  }
  if (modification === undefined) return { next: rest };
  return {
    next: {
      ...rest,
      sizeGib: modification.fromGib,
      modification: { ...modification, state: 'failed', endedAtMs: nowMs, message },
    },
    finished: { operationId: modification.operationId, error: message },
    releaseGib: modification.toGib - modification.fromGib,
  };
}

/** The snapshot's record after a step of it has ended. */
export function afterSnapshotStep(
  record: SnapshotRecord,
  step: SnapshotStep,
  { nowMs, error, maxAttempts }: StepEnd,
): StepResult<SnapshotRecord> {
  const finished = { operationId: record.operationId };
  const idleRecord = withoutFields(record, 'retry');
  if (error === undefined) {
    if (step === 'remove') return { next: undefined, finished, sourceFree: true };
    return { next: snapshotTransition(idleRecord, 'completed', nowMs), finished, sourceFree: true };
  }
  const retry = nextRetry(record.retry, step, nowMs, error);
  if (retry.attempt < maxAttempts || step === 'remove') return { next: { ...record, retry } };
  const message = `it was tried ${retry.attempt} times; last: ${error}`;
  return {
    next: snapshotTransition(idleRecord, 'error', nowMs, { stateReason: { code: 'Server.InternalError', message } }),
    finished: { ...finished, error: message },
    sourceFree: true,
  };
}

function idle(record: VolumeRecord): VolumeRecord {
  return withoutFields(record, 'retry');
}

function nextRetry(last: Retry | undefined, step: string, nowMs: number, error: string): Retry {
  const attempt = (last?.step === step ? last.attempt : 0) + 1;
  const delayMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** Math.min(attempt - 1, 10));
  return { step, attempt, notBeforeMs: nowMs + delayMs, lastError: error.slice(0, 300) };
}
