import { BaseCommand } from '../support/base-command.ts';
import { jobFlags, runJob, sessionFlags } from '../support/run-job.ts';

export class MaintainCollect extends BaseCommand {
  static override summary = 'remove what has had its time';
  static override description =
    'Old records of operations, tokens and reservations, certificates that are over, bytes that were sent and became no image, and image files on hosts whose image is gone. Domains, disks and bridges that no record explains are listed and never touched.';
  static override aliases = ['collect-maintain'];
  static override examples = ['<%= config.bin %> maintain collect --plan', '<%= config.bin %> maintain collect --cron'];
  static override flags = { ...jobFlags };
  static override parameters = { TimeoutMs: '--timeout' };

  async run(): Promise<number> {
    const { flags } = await this.parse(MaintainCollect);
    return runJob(this.open(sessionFlags(flags)), { Job: 'collect' }, flags);
  }
}
