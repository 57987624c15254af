import { BaseCommand } from '../support/base-command.ts';
import { jobFlags, runJob, sessionFlags } from '../support/run-job.ts';

export class MaintainVerify extends BaseCommand {
  static override summary = 'compare records, image bytes and hosts with each other';
  static override description = 'Nothing is changed: what does not add up is told, and ends it with exit code 23.';
  static override aliases = ['verify-maintain'];
  static override examples = ['<%= config.bin %> maintain verify', '<%= config.bin %> maintain verify --json'];
  static override flags = { ...jobFlags };
  static override parameters = { TimeoutMs: '--timeout' };

  async run(): Promise<number> {
    const { flags } = await this.parse(MaintainVerify);
    return runJob(this.open(sessionFlags(flags)), { Job: 'verify' }, flags);
  }
}
