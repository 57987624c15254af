import { z } from 'zod';
import { MAINTENANCE_JOBS } from '../../domain/maintenance.ts';
import { defineOperation } from './definition.ts';
import { OperationId } from './fields.ts';

const DAY_MS = 86_400_000;

const Job = z.enum(MAINTENANCE_JOBS, `must be ${MAINTENANCE_JOBS.join(', ')}`);

const ms = (max: number) => {
  const allowed = `must be a whole number of milliseconds, 1000 to ${max}`;
  return z.int(allowed).min(1000, allowed).max(max, allowed);
};

const archivePath = z
  .string()
  .regex(/^\/[^\0]{1,4000}$/, 'must be an absolute path')
  .refine((path) => !path.endsWith('/'), 'must be a file, not a folder');

const jobInput = {
  Job,
  /** How long what it set going is waited for. Default: an hour, watch two minutes. */
  TimeoutMs: ms(DAY_MS).optional(),
  /** backup: a file on the cloud's own machine that is not there yet; only over the socket or in the same process. */
  To: archivePath.optional(),
  /** backup: with the cloud's own keys. */
  Secrets: z.boolean().default(true),
  /** backup: with the bytes of images. */
  Images: z.boolean().default(false),
};

const Report = z.object({
  outcome: z.enum(['clean', 'fixed', 'degraded', 'failed', 'cut-off']),
  changes: z.array(z.string()),
  changeCount: z.int(),
  findings: z.array(z.string()),
  findingCount: z.int(),
  notes: z.array(z.string()),
});

/** Begins a run and answers at once; WatchOperation follows it, DescribeMaintenance says how it ended. 'Busy': the job runs. 'IncorrectState': paused. */
export const StartMaintenance = defineOperation({
  name: 'StartMaintenance',
  summary: 'run a maintenance job',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({
    ...jobInput,
    /** Also while maintenance is paused. */
    IgnorePause: z.boolean().default(false),
  }),
  output: z.object({ operationId: z.string(), job: Job }),
});

/** What a run would do now. Changes nothing and leaves no record. */
export const PlanMaintenance = defineOperation({
  name: 'PlanMaintenance',
  summary: 'say what a maintenance job would do',
  kind: 'unary',
  changes: false,
  access: 'cloudadmin',
  input: z.strictObject(jobInput),
  output: z.object({ job: Job, report: Report }),
});

export const DescribeMaintenance = defineOperation({
  name: 'DescribeMaintenance',
  summary: 'say when each maintenance job ran and how it ended',
  kind: 'unary',
  changes: false,
  access: 'cloudadmin',
  input: z.strictObject({ Jobs: z.array(Job).max(MAINTENANCE_JOBS.length).optional() }),
  output: z.object({
    paused: z
      .object({
        sinceMs: z.number(),
        untilMs: z.number().optional(),
        by: z.string(),
        reason: z.string().optional(),
      })
      .optional(),
    jobs: z.array(
      z.object({
        job: Job,
        everySeconds: z.int(),
        due: z.enum(['never', 'in-time', 'due', 'overdue']),
        running: z.object({ operationId: OperationId, startedAtMs: z.number(), isLive: z.boolean() }).optional(),
        last: Report.extend({
          operationId: OperationId,
          startedAtMs: z.number(),
          endedAtMs: z.number(),
          error: z.object({ code: z.string(), message: z.string() }).optional(),
        }).optional(),
      }),
    ),
    backupDir: z.string(),
    backups: z.array(z.string()),
    nowMs: z.number(),
    rev: z.int(),
  }),
});

export const PauseMaintenance = defineOperation({
  name: 'PauseMaintenance',
  summary: 'let no maintenance job run for a time',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({
    /** Default: until it is resumed. */
    ForMs: ms(366 * DAY_MS).optional(),
    Reason: z.string().max(1024).optional(),
  }),
  output: z.object({ untilMs: z.number().optional(), operationId: z.string() }),
});

export const ResumeMaintenance = defineOperation({
  name: 'ResumeMaintenance',
  summary: 'let maintenance jobs run again',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({}),
  output: z.object({ wasPaused: z.boolean(), operationId: z.string() }),
});
