import { isoTime } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import { humanDuration } from '../../base/units.ts';
import { KEYS } from '../../domain/keys.ts';
import type {
  MaintenanceJob,
  MaintenancePause,
  MaintenanceRecord,
  MaintenanceResult,
} from '../../domain/maintenance.ts';
import {
  dueState,
  isPaused,
  keptLines,
  MAINTENANCE_EVERY_MS,
  MAINTENANCE_JOBS,
  outcomeOf,
} from '../../domain/maintenance.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import { endOperation } from '../maintenance/maintenance-runs.ts';
import type { Draft } from '../state/draft.ts';
import type { ChangeHandler, ReadHandler } from './handler.ts';

/** Writes that the run has begun; what it does comes after that is durable. */
export const startMaintenance: ChangeHandler<'StartMaintenance'> = {
  decide(draft, input, context) {
    const { operationId, nowMs, cloud } = context;
    const job = input.Job;
    if (!input.IgnorePause) refusePaused(draft.get<MaintenancePause>(KEYS.maintenancePause), nowMs);
    const record = draft.get<MaintenanceRecord>(KEYS.maintenance(job)) ?? { v: 1, job };
    const { running } = record;
    if (running !== undefined) {
      if (cloud.maintenance.isLive(running)) throw busy(job, running, nowMs);
      endCutOff(draft, job, running, nowMs);
    }
    draft.put(KEYS.maintenance(job), {
      ...record,
      running: { operationId, session: cloud.maintenance.session, startedAtMs: nowMs },
    } satisfies MaintenanceRecord);
    return { output: { operationId, job }, targets: [job], pending: [job] };
  },

  after({ cloud, principal, operationId }, input) {
    cloud.maintenance.begin(cloud, input, principal, operationId);
    return Promise.resolve();
  },
};

function busy(job: MaintenanceJob, running: NonNullable<MaintenanceRecord['running']>, nowMs: number): CloudError {
  const forMs = Math.abs(nowMs - running.startedAtMs);
  return new CloudError(
    'Busy',
    `${job} is running already, for ${humanDuration(forMs)}; follow it by: novactl op follow ${running.operationId}`,
    { details: { rule: 'maintenance.one-at-a-time', operationId: running.operationId } },
  );
}

/** Its process ended before it did: said in its operation, and in what is known of the job. */
function endCutOff(
  draft: Draft,
  job: MaintenanceJob,
  running: NonNullable<MaintenanceRecord['running']>,
  nowMs: number,
): void {
  const cutOff: MaintenanceResult = {
    operationId: running.operationId,
    startedAtMs: running.startedAtMs,
    endedAtMs: nowMs,
    outcome: 'cut-off',
    ...{ changes: [], changeCount: 0, findings: [], findingCount: 0, notes: [] },
    error: { code: 'Unavailable', message: 'the process that ran it ended before it did' },
  };
  endOperation(draft, job, cutOff, nowMs);
}

function refusePaused(pause: MaintenancePause | undefined, nowMs: number): void {
  if (!isPaused(pause, nowMs)) return;
  const until = pause.untilMs === undefined ? 'until it is resumed' : `until ${isoTime(pause.untilMs)}`;
  const why = pause.reason === undefined ? '' : ` (${pause.reason})`;
  throw new CloudError(
    'IncorrectState',
    `maintenance is paused ${until} by ${pause.by}${why}; resume it by: novactl maintain resume`,
    { details: { rule: 'maintenance.paused', ...(pause.untilMs === undefined ? {} : { untilMs: pause.untilMs }) } },
  );
}

export const planMaintenance: ReadHandler<'PlanMaintenance'> = async ({ cloud, principal }, input) => {
  const report = await cloud.maintenance.plan(cloud, input, principal);
  const { changes, findings, notes } = report;
  return {
    job: input.Job,
    report: {
      outcome: outcomeOf(report),
      changes: keptLines(changes),
      changeCount: changes.length,
      findings: keptLines(findings),
      findingCount: findings.length,
      notes: keptLines(notes),
    },
  };
};

type JobView = OperationOutput<'DescribeMaintenance'>['jobs'][number];

export const describeMaintenance: ReadHandler<'DescribeMaintenance'> = async ({ cloud, nowMs }, input) => {
  const { store, archives, maintenance } = cloud;
  const pause = store.get<MaintenancePause>(KEYS.maintenancePause)?.value;
  const jobs = (input.Jobs ?? MAINTENANCE_JOBS).map((job): JobView => {
    const { running, last } = store.get<MaintenanceRecord>(KEYS.maintenance(job))?.value ?? {};
    return {
      job,
      everySeconds: MAINTENANCE_EVERY_MS[job] / 1000,
      due: dueState(job, last, nowMs),
      ...(running === undefined
        ? {}
        : {
            running: {
              operationId: running.operationId,
              startedAtMs: running.startedAtMs,
              isLive: maintenance.isLive(running),
            },
          }),
      ...(last === undefined
        ? {}
        : { last: { ...last, changes: [...last.changes], findings: [...last.findings], notes: [...last.notes] } }),
    };
  });
  return {
    ...(isPaused(pause, nowMs) ? { paused: withoutVersion(pause) } : {}),
    jobs,
    backupDir: archives.dir,
    backups: [...(await archives.list(1000, nowMs)).kept],
    nowMs,
    rev: store.rev,
  };
};

function withoutVersion({ v: _, ...shown }: MaintenancePause): Omit<MaintenancePause, 'v'> {
  return shown;
}

export const pauseMaintenance: ChangeHandler<'PauseMaintenance'> = {
  decide(draft, input, { nowMs, operationId, principal }) {
    const untilMs = input.ForMs === undefined ? undefined : nowMs + input.ForMs;
    draft.put(KEYS.maintenancePause, {
      v: 1,
      sinceMs: nowMs,
      by: principal.name,
      ...(untilMs === undefined ? {} : { untilMs }),
      ...(input.Reason === undefined ? {} : { reason: input.Reason }),
    } satisfies MaintenancePause);
    return { output: { operationId, ...(untilMs === undefined ? {} : { untilMs }) }, targets: ['maintenance'] };
  },
};

export const resumeMaintenance: ChangeHandler<'ResumeMaintenance'> = {
  decide(draft, _input, { nowMs, operationId }) {
    const pause = draft.get<MaintenancePause>(KEYS.maintenancePause);
    if (pause !== undefined) draft.del(KEYS.maintenancePause);
    return { output: { wasPaused: isPaused(pause, nowMs), operationId }, targets: ['maintenance'] };
  },
};
