import { Flags } from '@oclif/core';
import { isCode } from '../../base/errors.ts';
import { BaseCommand } from '../support/base-command.ts';
import { jobFlags, runJob, sessionFlags } from '../support/run-job.ts';
import type { Session } from '../support/session.ts';

export class MaintainWatch extends BaseCommand {
  static override summary = 'look for hosts that went down or came back, and start what should run';
  static override description =
    'What should run and does not is started again where its host answers; the rest is told. With a daemon that has happened already, and only what remains is told.';
  static override aliases = ['watch-maintain'];
  static override examples = [
    '<%= config.bin %> maintain watch --cron',
    '<%= config.bin %> maintain watch --plan --json',
  ];
  static override flags = {
    'expect-daemon': Flags.boolean({ description: 'tell, by exit code 23, when no daemon answers on this machine' }),
    ...jobFlags,
  };
  static override parameters = { TimeoutMs: '--timeout' };

  async run(): Promise<number> {
    const { flags } = await this.parse(MaintainWatch);
    const session = this.open(sessionFlags(flags));
    const missing = flags['expect-daemon'] && !(await daemonAnswers(session));
    const code = await runJob(session, { Job: 'watch' }, flags);
    if (!missing) return code;
    session.output.error('maintain watch: no daemon answers, and one is expected; start it by: novactl up');
    return code === 0 || code === 20 ? 23 : code;
  }
}

async function daemonAnswers(session: Session): Promise<boolean> {
  try {
    await (await session.daemon()).call('DescribeCloud', {});
    return true;
  } catch (error) {
    if (isCode(error, 'Unavailable')) return false;
    throw error;
  }
}
