import { BaseCommand } from '../support/base-command.ts';
import { jobFlags, runJob, sessionFlags } from '../support/run-job.ts';

export class MaintainWatch extends BaseCommand {
  static override summary = 'look for hosts that went down or came back, and start what should run';
  static override description =
    'What should run and does not is started again where its host answers; the rest is told. With a daemon that has happened already, and only what remains is told.';
  static override aliases = ['watch-maintain'];
  static override examples = [
    '<%= config.bin %> maintain watch --cron',
    '<%= config.bin %> maintain watch --plan --json',
  ];
  static override flags = { ...jobFlags };
  static override parameters = { TimeoutMs: '--timeout' };

  async run(): Promise<number> {
    const { flags } = await this.parse(MaintainWatch);
    return runJob(this.open(sessionFlags(flags)), { Job: 'watch' }, flags);
  }
}
