import { Flags } from '@oclif/core';
import { asCloudError, CloudError } from '../../base/errors.ts';
import { ERROR_TABLE } from '../../base/error-codes.ts';
import type { ExitCode } from '../../base/exit-codes.ts';
import type { OperationInput } from '../../messages/operations/index.ts';
import { resultDetails, resultLine, type JobResult } from '../../views/maintenance.ts';
import { duration } from './flags.ts';
import { Interrupted } from './io.ts';
import type { Session } from './session.ts';
import { followOperation } from './wait.ts';

type JobInput = Omit<OperationInput<'StartMaintenance'>, 'IgnorePause'>;

/** What all jobs take. */
export const jobFlags = {
  plan: Flags.boolean({ description: 'only say what would be done' }),
  cron: Flags.boolean({ description: 'say nothing when all is well, else one line' }),
  'ignore-pause': Flags.boolean({ description: 'also while maintenance is paused' }),
  'wait-lock': Flags.boolean({ description: 'with no daemon: wait for other commands that work on the cloud' }),
  timeout: duration('timeout', { description: 'longest wait', default: 3_600_000, defaultText: '1h' }),
};

export interface JobFlags {
  readonly plan: boolean;
  readonly cron: boolean;
  readonly 'ignore-pause': boolean;
  readonly 'wait-lock': boolean;
  readonly timeout: number;
}

/** The flags of a job's session: it waits for the lock only when it is told to, and for cron it is quiet. */
export function sessionFlags<F extends Pick<JobFlags, 'cron' | 'wait-lock'> & { readonly quiet: boolean }>(flags: F) {
  return { ...flags, quiet: flags.quiet || flags.cron, 'no-wait-lock': !flags['wait-lock'] };
}

const EXIT: Readonly<Record<JobResult['outcome'], ExitCode>> = {
  clean: 0,
  fixed: 20,
  degraded: 23,
  failed: 24,
  'cut-off': 24,
};

/** What a refusal means for the exit code of a job. What is wrong with the command line itself keeps its own. */
function exitOf({ code, details }: CloudError): ExitCode {
  if (code === 'LockBusy' || code === 'Busy') return 21;
  if (details?.['rule'] === 'maintenance.paused') return 22;
  return ERROR_TABLE[code].exit === 2 ? 2 : 24;
}

/** Runs a job to its end and says how it went. Answers the exit code; a refusal is said here too. */
export async function runJob(session: Session, input: JobInput, flags: JobFlags): Promise<ExitCode> {
  try {
    const result = flags.plan ? await planned(session, input) : await done(session, input, flags);
    return await tell(session, input.Job, result, flags.cron);
  } catch (thrown) {
    if (thrown instanceof Interrupted || session.io.signal.aborted) throw thrown;
    const error = asCloudError(thrown);
    const code = exitOf(error);
    if (code === 2) throw error;
    if (session.format === 'json' && !flags.cron) session.output.errorJson({ error: error.flatten() });
    else session.output.error(`maintain ${input.Job}: ${error.message} (${error.code})`);
    return code;
  }
}

async function planned(session: Session, input: JobInput): Promise<Omit<JobResult, 'operationId'>> {
  const { report } = await session.read('PlanMaintenance', input);
  return { ...report, startedAtMs: session.nowMs(), endedAtMs: session.nowMs() };
}

async function done(session: Session, input: JobInput, flags: JobFlags): Promise<JobResult> {
  // A cloud that is not there must not be made by a job that looks after it.
  await session.read('DescribeMaintenance', { Jobs: [input.Job] });
  const { operationId } = await session.change('StartMaintenance', {
    ...input,
    TimeoutMs: flags.timeout,
    ...(flags['ignore-pause'] ? { IgnorePause: true } : {}),
  });
  await followOperation(session, operationId, flags.timeout + 60_000, (text) => session.output.detail(text));
  const [view] = (await session.read('DescribeMaintenance', { Jobs: [input.Job] })).jobs;
  const last = view?.last;
  if (last?.operationId !== operationId) {
    throw new CloudError('Unavailable', `how ${operationId} ended is not known; see: novactl op show ${operationId}`);
  }
  if (last.error !== undefined)
    throw CloudError.unflatten({ ...last.error, code: last.error.code as CloudError['code'] });
  return last;
}

async function tell(
  session: Session,
  job: string,
  result: Omit<JobResult, 'operationId'> & { readonly operationId?: string },
  cron: boolean,
): Promise<ExitCode> {
  const code = EXIT[result.outcome];
  if (!cron) await session.showOne(resultDetails(job, result));
  else if (code === 20) session.output.data(`${resultLine(job, result)}\n`);
  else if (code !== 0) session.output.error(resultLine(job, result));
  return code;
}
