import { BaseCommand } from '../support/base-command.ts';
import { jobFlags, runJob, sessionFlags } from '../support/run-job.ts';

export class MaintainReconcile extends BaseCommand {
  static override summary = 'look at every instance and host once, and wait until what that sets going is done';
  static override description =
    'Hosts are asked anew and every instance is brought to what its record wants. It ends with exit code 0 when there was nothing to do, 20 when something was put right, 23 when something could not be.';
  static override aliases = ['reconcile-maintain'];
  static override examples = ['<%= config.bin %> maintain reconcile', '<%= config.bin %> maintain reconcile --plan'];
  static override flags = { ...jobFlags };
  static override parameters = { TimeoutMs: '--timeout' };

  async run(): Promise<number> {
    const { flags } = await this.parse(MaintainReconcile);
    return runJob(this.open(sessionFlags(flags)), { Job: 'reconcile' }, flags);
  }
}
