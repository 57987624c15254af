import { Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { differenceCounts, differenceRows, heldLine } from '../../views/state-differences.ts';
import { BaseCommand } from '../support/base-command.ts';

export class StateAdopt extends BaseCommand {
  static override summary = 'go on with a store that was restored from an older copy';
  static override description =
    'A cloud that finds its store restored changes nothing until this says so. What differs is shown first (see novactl state diff). From then on instances that are recorded are driven to what their records say, and work that was not done is done. Domains that no record knows stay as they are and are listed; remove them on their hosts, or restore a newer copy instead.';
  static override aliases = ['adopt-state'];
  static override examples = ['<%= config.bin %> state adopt --plan', '<%= config.bin %> state adopt --yes'];
  static override flags = {
    plan: Flags.boolean({ description: 'only show what differs' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(StateAdopt);
    const session = this.open(flags);
    const { output } = session;
    const found = await session.read('DescribeStateDifferences', {});
    output.message(heldLine(found));
    if (flags.plan) {
      await session.show(differenceRows(found));
      output.message(differenceCounts(found));
      return;
    }
    if (found.held === undefined) throw new CloudError('IncorrectState', 'nothing waits to be adopted');
    output.message(differenceCounts(found));
    if (!flags.yes && !session.io.interactive) {
      throw new CloudError('MissingParameter', 'say --yes to adopt the restored store (--plan shows what differs)');
    }
    await session.confirm('adopt the restored store as it is?');
    const adopted = await session.change('AdoptState', {});
    await session.showValue(adopted, '');
    output.message('the store is adopted; the cloud goes on');
  }
}
