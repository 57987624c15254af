import { differenceCounts, differenceRows, heldLine } from '../../views/state-differences.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';

export class StateDiff extends BaseCommand {
  static override summary = 'say in what the records and the hosts differ';
  static override description =
    'For after a restore: instances whose domain is missing, domains that no record knows (made after the backup), states that differ, and work that will be done again. What is told of a host is what it last reported. Changes nothing.';
  static override aliases = ['diff-state'];
  static override examples = ['<%= config.bin %> state diff', '<%= config.bin %> state diff --filter what=unknown'];
  static override flags = { ...listFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(StateDiff);
    const session = this.open(flags);
    const found = await session.read('DescribeStateDifferences', {});
    await session.show(differenceRows(found));
    session.output.message(heldLine(found));
    session.output.message(differenceCounts(found));
  }
}
