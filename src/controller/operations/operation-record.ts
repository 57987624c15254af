import type { OperationRecord, OperationStep } from '../../domain/records.ts';
import { KEYS } from '../../domain/keys.ts';
import type { Draft } from '../state/draft.ts';

/** Steps kept in one record; a record must stay below the store's 64 KiB. */
const STEPS_MAX = 150;
const STEP_ERROR_CHARS = 300;
/** Of each step, where there are many targets. */
const SHORT_ERROR_CHARS = 100;

/** Marks one target of an operation as done; the last one ends the operation. Unknown or ended operations are left alone. */
export function finishTarget(
  draft: Draft,
  operationId: string,
  target: string,
  nowMs: number,
  result: { error?: { code: string; message: string }; steps?: readonly OperationStep[] },
): void {
  const key = KEYS.operation(operationId);
  const record = draft.get<OperationRecord>(key);
  if (record === undefined || !record.pending.includes(target)) return;
  const pending = record.pending.filter((id) => id !== target);
  const error = record.error ?? result.error;
  const steps = withSteps(record, target, result.steps ?? []);
  const ended = pending.length === 0;
  draft.put(key, {
    ...record,
    pending,
    steps,
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message.slice(0, 1000) } }),
    ...(ended ? { status: error === undefined ? 'succeeded' : 'failed', endedAtMs: nowMs } : {}),
  } satisfies OperationRecord);
}

/** What is done for a target so far, and now. Unknown operations, and targets that are done, are left alone. */
export function noteSteps(draft: Draft, operationId: string, target: string, steps: readonly OperationStep[]): void {
  const key = KEYS.operation(operationId);
  const record = draft.get<OperationRecord>(key);
  if (record === undefined || !record.pending.includes(target)) return;
  draft.put(key, { ...record, steps: withSteps(record, target, steps) } satisfies OperationRecord);
}

/** In place of what was noted of the same steps; those of an earlier attempt stay before them. */
function withSteps(record: OperationRecord, target: string, steps: readonly OperationStep[]): OperationStep[] {
  const firstMs = steps[0]?.atMs ?? Infinity;
  const before = record.steps.filter((step) => step.target !== target || step.atMs < firstMs);
  return [...before, ...compact(steps, record.targets.length)].slice(0, STEPS_MAX);
}

/** Few targets: every step. Many: one step a target, so that the record stays small. */
function compact(steps: readonly OperationStep[], targets: number): OperationStep[] {
  const chars = targets <= 8 ? STEP_ERROR_CHARS : SHORT_ERROR_CHARS;
  const short = steps.map((step) => (step.error === undefined ? step : { ...step, error: step.error.slice(0, chars) }));
  if (targets <= 8) return short;
  const last = short.at(-1);
  if (last === undefined) return [];
  const tookMs = short.reduce((sum, step) => sum + (step.tookMs ?? 0), 0);
  return [{ ...last, tookMs }];
}
