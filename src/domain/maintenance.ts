/** Jobs that keep a cloud in order: from cron, from systemd, or by hand. */
export const MAINTENANCE_JOBS = ['reconcile', 'watch', 'collect', 'verify', 'backup'] as const;
export type MaintenanceJob = (typeof MAINTENANCE_JOBS)[number];

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** How far apart the runs of each job are when they are installed; `maintain status` says by it what is overdue. */
export const MAINTENANCE_EVERY_MS: Readonly<Record<MaintenanceJob, number>> = {
  reconcile: HOUR_MS,
  watch: 5 * MINUTE_MS,
  collect: DAY_MS,
  verify: 7 * DAY_MS,
  backup: DAY_MS,
};

/** `cut-off`: its process ended before it did. */
export type MaintenanceOutcome = 'clean' | 'fixed' | 'degraded' | 'failed' | 'cut-off';

/** How a run ended. Lists are cut to LINES_KEPT; the counts are whole. */
export interface MaintenanceResult {
  readonly operationId: string;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
  readonly outcome: MaintenanceOutcome;
  /** What was put right. */
  readonly changes: readonly string[];
  readonly changeCount: number;
  /** What an administrator should look at. */
  readonly findings: readonly string[];
  readonly findingCount: number;
  /** What it did that is no repair: the archive that was written, the records that were looked at. */
  readonly notes: readonly string[];
  readonly error?: { readonly code: string; readonly message: string };
}

/** One key a job. Its start is written before it does anything, so that a run that was cut off is seen. */
export interface MaintenanceRecord {
  readonly v: 1;
  readonly job: MaintenanceJob;
  readonly running?: {
    readonly operationId: string;
    /** Of the process that does it: when that is gone, so is the run. */
    readonly session: string;
    readonly startedAtMs: number;
  };
  readonly last?: MaintenanceResult;
  /** Hosts that were down when `watch` last looked. */
  readonly downHosts?: readonly string[];
}

export interface MaintenancePause {
  readonly v: 1;
  readonly sinceMs: number;
  /** Absent: until it is resumed. */
  readonly untilMs?: number;
  readonly by: string;
  readonly reason?: string;
}

/** The state was made of an archive. */
export interface RestoredRecord {
  readonly v: 1;
  readonly atMs: number;
  /** Name of the archive's file. */
  readonly archive: string;
  readonly fromRev: number;
  /** A cloud has it among its operations. */
  readonly settled: boolean;
}

const LINES_KEPT = 50;
const LINE_CHARS = 400;

/** At most LINES_KEPT lines, with how many more there are. */
export function keptLines(lines: readonly string[]): string[] {
  const kept = lines.slice(0, LINES_KEPT).map((line) => line.slice(0, LINE_CHARS));
  return lines.length > kept.length ? [...kept, `and ${lines.length - kept.length} more`] : kept;
}

export function outcomeOf(report: {
  readonly changes: readonly string[];
  readonly findings: readonly string[];
}): 'clean' | 'fixed' | 'degraded' {
  if (report.findings.length > 0) return 'degraded';
  return report.changes.length > 0 ? 'fixed' : 'clean';
}

/**
 * Whether a pause still stands. The clock may have been set back or ahead since: by the difference either way, so that no pause outlasts its own
 * length because of it.
 */
export function isPaused(pause: MaintenancePause | undefined, nowMs: number): pause is MaintenancePause {
  if (pause === undefined) return false;
  return pause.untilMs === undefined || Math.abs(nowMs - pause.sinceMs) < pause.untilMs - pause.sinceMs;
}

export type MaintenanceDue = 'never' | 'in-time' | 'due' | 'overdue';

/** A job that has not run for twice its interval is overdue. A last run that lies ahead (the clock was set back) counts by the difference. */
export function dueState(job: MaintenanceJob, last: MaintenanceResult | undefined, nowMs: number): MaintenanceDue {
  if (last === undefined) return 'never';
  const sinceMs = Math.abs(nowMs - last.startedAtMs);
  const everyMs = MAINTENANCE_EVERY_MS[job];
  if (sinceMs > 2 * everyMs) return 'overdue';
  return sinceMs >= everyMs ? 'due' : 'in-time';
}
