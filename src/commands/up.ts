import { cloudDetails } from '../views/cloud.ts';
import type { ErrorCode } from '../base/error-codes.ts';
import { CloudError } from '../base/errors.ts';
import { humanDuration } from '../base/units.ts';
import { BaseCommand } from './support/base-command.ts';
import { lastWords, startDaemon, type Daemon } from './support/daemon.ts';
import { columnsFlag, duration } from './support/flags.ts';
import { loadWholeConfig } from './support/load-config.ts';
import type { Config } from '../launch/config/schema.ts';
import type { Readiness } from '../messages/readiness.ts';
import { runningCloud, type Cloud } from './support/running-cloud.ts';
import { processText, runningProcess, showProcess } from './support/running-process.ts';
import type { Session } from './support/session.ts';

const POLL_MS = 50;

export class Up extends BaseCommand {
  static override summary = 'start the cloud in the background';
  static override description =
    'The configured roles (by default all) in one process that goes on after this command; nothing happens when it runs already. Its log is daemon.log in the folder log of the state folder.';
  static override examples = ['<%= config.bin %> up', '<%= config.bin %> up --set stateDir=/srv/novactl --timeout 1m'];
  static override flags = {
    timeout: duration('timeout', { description: 'longest wait until it answers', default: 60_000, defaultText: '1m' }),
    ...columnsFlag,
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Up);
    const session = this.open(flags);
    const before = await runningProcess(session);
    // A process with the objects alone answers at the socket too.
    const already = before?.process.roles.includes('api') === false ? undefined : await runningCloud(session);
    if (already !== undefined) {
      session.output.message(`the cloud is up already (pid ${already.pid})`);
      return this.#show(session, already);
    }
    if (before !== undefined) return alreadyThere(session, before);
    const { config, warnings } = await loadWholeConfig(this.io, flags);
    await refuseImpossible(config);
    for (const warning of warnings) session.output.warn(warning);
    const words = ['config', 'context'] as const;
    const passed = [
      ...words.flatMap((word) => (flags[word] === undefined ? [] : [`--${word}`, flags[word]])),
      ...(flags.set ?? []).flatMap((word) => ['--set', word]),
    ];
    const daemon = startDaemon(this.io, config.stateDir, ['serve', ...passed]);
    if (!config.roles.includes('api')) {
      const process = await untilUp(session, daemon, flags.timeout, () => readyProcess(session));
      session.output.message(`the process ${processText(process)} is up, its log is ${daemon.logPath}`);
      return showProcess(session, process);
    }
    const cloud = await untilUp(session, daemon, flags.timeout, () => runningCloud(session));
    session.output.message(`the cloud is up (pid ${cloud.pid}), its log is ${daemon.logPath}`);
    await this.#show(session, cloud);
    session.output.hint(
      Object.keys(cloud.hosts).length === 0 ? 'give it a host: novactl host add --local' : 'look at it: novactl status',
    );
  }

  /** People have read the line on stderr; programs want the data. */
  async #show(session: Session, cloud: Cloud): Promise<void> {
    if (session.format !== 'table') await session.showOne(cloudDetails(cloud));
  }
}

/** A process of the cloud that has this state folder, and has not the api role or does not answer at its socket. */
async function alreadyThere(session: Session, process: Readiness): Promise<void> {
  const { pid, roles } = process.process;
  if (roles.includes('api')) {
    const why = process.reasons.join(', ') || 'it does not answer at its socket';
    throw new CloudError('LockBusy', `the process ${processText(process)} is there already (pid ${pid}): ${why}`);
  }
  session.output.message(`the process ${processText(process)} is up already (pid ${pid})`);
  await showProcess(session, process);
}

/** What can't work is said here, and not in a log. */
async function refuseImpossible(config: Config): Promise<void> {
  const [{ processPlan }, { hostname }] = await Promise.all([
    import('../launch/roles/process-plan.ts'),
    import('node:os'),
  ]);
  processPlan(config, hostname());
}

async function readyProcess(session: Session): Promise<Readiness | undefined> {
  const process = await runningProcess(session);
  return process?.ready === true ? process : undefined;
}

/** What a daemon that did not start ended with, as the error of this command: the exit codes are the same. */
const FAILURES: Readonly<Record<number, ErrorCode>> = {
  2: 'InvalidParameterValue',
  4: 'OperationNotPermitted',
  9: 'LockBusy',
};

/** What the daemon says last when it waits for a command that has the state. */
function waitsFor(logPath: string): string | undefined {
  const words = lastWords(logPath);
  return words.startsWith('waiting for ') ? words : undefined;
}

async function untilUp<T>(
  session: Session,
  daemon: Daemon,
  timeoutMs: number,
  look: () => Promise<T | undefined>,
): Promise<T> {
  const { clock, signal } = session.io;
  const endMs = clock.monotonicMs() + timeoutMs;
  let told: string | undefined;
  for (;;) {
    const waiting = waitsFor(daemon.logPath);
    if (waiting !== undefined && waiting !== told) session.output.message(waiting);
    told = waiting ?? told;
    const up = await look();
    if (up !== undefined) return up;
    const exitCode = daemon.exitCode();
    if (exitCode !== undefined) {
      const text = `the cloud did not start: ${lastWords(daemon.logPath)}; its log is ${daemon.logPath}`;
      throw new CloudError(FAILURES[exitCode] ?? 'Unavailable', text);
    }
    if (clock.monotonicMs() > endMs) {
      const reasons = (await runningProcess(session))?.reasons.join(', ') ?? '';
      const why = reasons === '' ? '' : ` (${reasons})`;
      throw new CloudError(
        'Timeout',
        `the cloud does not answer after ${humanDuration(timeoutMs)}${why}; look at ${daemon.logPath}`,
      );
    }
    await clock.sleep(POLL_MS, signal);
  }
}
