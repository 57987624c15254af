import { jobListing } from '../../views/maintenance.ts';
import { isoTime } from '../../base/clock.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';

export class MaintainStatus extends BaseCommand {
  static override summary = 'say when each maintenance job ran and how it ended';
  static override description =
    'A job that began and did not end is cut-off; one that did not run for twice its interval is overdue.';
  static override aliases = ['status-maintain'];
  static override examples = [
    '<%= config.bin %> maintain status',
    '<%= config.bin %> maintain status --filter due=overdue --json',
  ];
  static override flags = { ...listFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(MaintainStatus);
    const session = this.open(flags);
    const status = await session.read('DescribeMaintenance', {});
    const { paused, backups, backupDir } = status;
    await session.show(jobListing(status));
    if (paused !== undefined) {
      const until = paused.untilMs === undefined ? 'until it is resumed' : `until ${isoTime(paused.untilMs)}`;
      const why = paused.reason === undefined ? '' : `: ${paused.reason}`;
      session.output.message(`paused ${until} by ${paused.by}${why}; resume it by: novactl maintain resume`);
    }
    const [newest] = backups;
    session.output.hint(newest === undefined ? `no backup in ${backupDir}` : `newest backup: ${backupDir}/${newest}`);
  }
}
