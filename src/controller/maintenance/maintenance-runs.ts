import type { Clock } from '../../base/clock.ts';
import { asCloudError, CloudError, errorText } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { randomHex } from '../../base/random.ts';
import { KEYS } from '../../domain/keys.ts';
import type { MaintenanceJob, MaintenanceRecord, MaintenanceResult } from '../../domain/maintenance.ts';
import { keptLines, outcomeOf } from '../../domain/maintenance.ts';
import type { OperationRecord } from '../../domain/records.ts';
import type { ControllerContext, Maintenance } from '../controller-context.ts';
import type { Draft } from '../state/draft.ts';
import { transact } from '../state/draft.ts';
import { backupJob } from './backup.ts';
import { collectJob } from './collect.ts';
import type { Job } from './job.ts';
import type { JobInput, JobReport, Reconcilers } from './report.ts';
import { emptyReport } from './report.ts';
import { reconcileJob, watchJob } from './settle.ts';
import { verifyJob } from './verify.ts';

const JOBS: Readonly<Record<MaintenanceJob, Job>> = {
  reconcile: reconcileJob,
  watch: watchJob,
  collect: collectJob,
  verify: verifyJob,
  backup: backupJob,
};

/** Who asks: over what. */
interface Caller {
  readonly from: string;
}

const NO_RECONCILERS: Reconcilers = { sweep: () => undefined, depth: 0 };
/** How often the end of a run is written again when the store can't take it now. */
const END_ATTEMPTS = 5;
const END_RETRY_MS = 1000;

/** The runs of this process. That one is under way is in its job's record, with this session: another process's is no more when that is gone. */
export class MaintenanceRuns implements Maintenance {
  readonly session: string;
  readonly #clock: Clock;
  readonly #ownerSinceMs: () => number | undefined;
  readonly #livesProcess: (processSession: string) => boolean;
  readonly #abort = new AbortController();
  readonly #running = new Map<MaintenanceJob, Promise<void>>();
  /** Operations of runs that are over, which the store could not be told. */
  readonly #untold = new Set<string>();
  #reconcilers = NO_RECONCILERS;

  /**
   * `session`: of this process. `ownerSinceMs`: where the state belongs to another process, since when it does; undefined: to none. `livesProcess`: where
   * several processes share the state, whether one with that session is a controller now (Ownership.livesProcess).
   */
  constructor(parts: {
    random: Random;
    clock: Clock;
    session?: string;
    ownerSinceMs?: () => number | undefined;
    livesProcess?: (processSession: string) => boolean;
  }) {
    const { random, clock, session, ownerSinceMs = () => undefined, livesProcess = () => false } = parts;
    this.session = session ?? randomHex(random, 16);
    this.#clock = clock;
    this.#ownerSinceMs = ownerSinceMs;
    this.#livesProcess = livesProcess;
  }

  attach(reconcilers: Reconcilers): void {
    this.#reconcilers = reconcilers;
  }

  /**
   * Whether the run of the record is going on somewhere. Where the state belongs to one process, what began before it had the state is over; where
   * controllers share it, what a live one began goes on.
   */
  isLive(running: MaintenanceRecord['running']): boolean {
    if (running === undefined) return false;
    if (running.session === this.session) return !this.#untold.has(running.operationId);
    if (this.#livesProcess(running.session)) return true;
    const sinceMs = this.#ownerSinceMs();
    return sinceMs !== undefined && sinceMs <= running.startedAtMs;
  }

  /** Something is under way in this process. */
  get isBusy(): boolean {
    return this.#running.size > 0;
  }

  plan(cloud: ControllerContext, input: JobInput, principal: Caller): Promise<JobReport> {
    return this.#do(cloud, input, principal, { plan: true });
  }

  /** Goes on after the answer; its end is written with its operation's. */
  begin(cloud: ControllerContext, input: JobInput, principal: Caller, operationId: string): void {
    const run = this.#do(cloud, input, principal, { plan: false, operationId })
      .then(
        (report) => ({ report, error: undefined }),
        (error: unknown) => ({ report: emptyReport(), error: asCloudError(error).flatten() }),
      )
      .then(({ report, error }) => this.#end(cloud, input.Job, operationId, report, error))
      .catch((error: unknown) => {
        this.#untold.add(operationId);
        cloud.logger.error('the end of a maintenance job can not be recorded', {
          job: input.Job,
          operationId,
          error: errorText(error),
        });
      })
      .finally(() => this.#running.delete(input.Job));
    this.#running.set(input.Job, run);
  }

  /** What runs is told to stop, and its end is written. */
  async close(): Promise<void> {
    this.#abort.abort(new Error('the cloud goes down'));
    await Promise.all(this.#running.values());
  }

  async #do(
    cloud: ControllerContext,
    input: JobInput,
    principal: Caller,
    how: { readonly plan: boolean; readonly operationId?: string },
  ): Promise<JobReport> {
    const downHosts = cloud.store.get<MaintenanceRecord>(KEYS.maintenance(input.Job))?.value.downHosts ?? [];
    const reconcilers = this.#reconcilers;
    const { signal } = this.#abort;
    const job = JOBS[input.Job]({ cloud, reconcilers, input, principal, downHosts, signal, ...how });
    // A host that hangs must not hold up the end of the process.
    return unlessAborted(job, signal);
  }

  async #end(
    cloud: ControllerContext,
    job: MaintenanceJob,
    operationId: string,
    report: JobReport,
    error: { code: string; message: string } | undefined,
  ): Promise<void> {
    const outcome = error === undefined ? outcomeOf(report) : 'failed';
    const { changes, findings } = report;
    const counts = { changes: changes.length, findings: findings.length };
    cloud.logger.info('maintenance job ended', { job, operationId, outcome, ...counts, error: error?.message });
    for (let attempt = 1; ; attempt += 1) {
      try {
        await transact(cloud.store, (draft) => endRun(draft, job, operationId, report, error, this.#clock.nowMs()));
        return;
      } catch (thrown) {
        if (attempt >= END_ATTEMPTS || this.#abort.signal.aborted) throw thrown;
        await this.#clock.sleep(END_RETRY_MS);
      }
    }
  }
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const stopped = Promise.withResolvers<never>();
  const stop = (): void => stopped.reject(new CloudError('Unavailable', 'the cloud went down before it ended'));
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  try {
    return await Promise.race([work, stopped.promise]);
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Writes how a run ended into its job's record and its operation's. */
function endRun(
  draft: Draft,
  job: MaintenanceJob,
  operationId: string,
  report: JobReport,
  error: { code: string; message: string } | undefined,
  nowMs: number,
): void {
  const record = draft.get<MaintenanceRecord>(KEYS.maintenance(job));
  if (record?.running?.operationId !== operationId) return;
  const { running, ...rest } = record;
  const { changes, findings, notes, downHosts } = report;
  const short = error === undefined ? undefined : { code: error.code, message: error.message.slice(0, 1000) };
  const last: MaintenanceResult = {
    operationId,
    startedAtMs: running.startedAtMs,
    endedAtMs: nowMs,
    outcome: short === undefined ? outcomeOf(report) : 'failed',
    changes: keptLines(changes),
    changeCount: changes.length,
    findings: keptLines(findings),
    findingCount: findings.length,
    notes: keptLines(notes),
    ...(short === undefined ? {} : { error: short }),
  };
  draft.put(KEYS.maintenance(job), { ...rest, last, ...(downHosts === undefined ? {} : { downHosts }) });
  endOperation(draft, job, last, nowMs);
}

/** The same as steps of the operation, so that `op show` has it after the next run too. */
export function endOperation(draft: Draft, job: MaintenanceJob, last: MaintenanceResult, nowMs: number): void {
  const key = KEYS.operation(last.operationId);
  const operation = draft.get<OperationRecord>(key);
  if (operation?.status !== 'running') return;
  const { changes, findings, notes, error } = last;
  const lines = [...notes, ...changes, ...findings.map((text) => `to look at: ${text}`)];
  const tookMs = Math.max(0, nowMs - last.startedAtMs);
  draft.put(key, {
    ...operation,
    pending: [],
    steps: [
      ...lines.map((step) => ({ target: job, step, atMs: nowMs })),
      { target: job, step: last.outcome, atMs: nowMs, tookMs },
    ],
    status: error === undefined ? 'succeeded' : 'failed',
    endedAtMs: nowMs,
    ...(error === undefined ? {} : { error }),
  } satisfies OperationRecord);
}
