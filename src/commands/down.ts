import { CloudError, errnoOf } from '../base/errors.ts';
import { humanDuration } from '../base/units.ts';
import { BaseCommand } from './support/base-command.ts';
import { processGone } from './support/daemon.ts';
import { duration } from './support/flags.ts';
import type { Readiness } from '../messages/readiness.ts';
import { runningCloud, type Cloud } from './support/running-cloud.ts';
import { processText, runningProcess } from './support/running-process.ts';

const POLL_MS = 50;

export class Down extends BaseCommand {
  static override summary = 'stop the cloud; instances live on';
  static override description =
    'Ends what novactl up or novactl serve started on this machine, after the work under way.';
  static override examples = ['<%= config.bin %> down', '<%= config.bin %> down --timeout 2m'];
  static override flags = {
    timeout: duration('timeout', { description: 'longest wait until it is gone', default: 60_000, defaultText: '1m' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Down);
    const session = this.open(flags);
    const { clock, signal } = this.io;
    const cloud = await runningCloud(session);
    const process = await runningProcess(session);
    const pid = cloud?.pid ?? process?.process.pid;
    if (pid === undefined) {
      session.output.message('no cloud is running here');
      return;
    }
    terminate(pid);
    const endMs = clock.monotonicMs() + flags.timeout;
    while (!processGone(pid)) {
      if (clock.monotonicMs() > endMs) {
        throw new CloudError(
          'Timeout',
          `process ${pid} still runs after ${humanDuration(flags.timeout)}; it ends by itself`,
        );
      }
      await clock.sleep(POLL_MS, signal);
    }
    session.output.message(downText(cloud, process));
    session.output.hint('start it again by: novactl up');
  }
}

/** Other processes of a cloud go on. */
function downText(cloud: Cloud | undefined, process: Readiness | undefined): string {
  if (process !== undefined && !ROLES.every((role) => process.process.roles.includes(role)))
    return `the process ${processText(process)} is down`;
  const running = cloud?.instances['running'] ?? 0;
  return `the cloud is down; ${running} running instance${running === 1 ? '' : 's'} live${running === 1 ? 's' : ''} on`;
}

const ROLES = ['api', 'controller', 'worker'];

function terminate(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if (errnoOf(error) !== 'EPERM') return;
    throw new CloudError(
      'OperationNotPermitted',
      `process ${pid} belongs to another user; run this as that user or by sudo`,
      {
        cause: error,
      },
    );
  }
}
