import { ERROR_TABLE } from '../base/error-codes.ts';
import { cloudDetails } from '../views/cloud.ts';
import { BaseCommand } from './support/base-command.ts';
import { columnsFlag } from './support/flags.ts';

export class Status extends BaseCommand {
  static override summary = 'say how the cloud is';
  static override description =
    'Without a daemon it shows the cloud as it is recorded. Ends with exit code 7 when nothing runs.';
  static override examples = ['<%= config.bin %> status', '<%= config.bin %> status --json'];
  static override flags = { ...columnsFlag };

  async run(): Promise<number> {
    const { flags } = await this.parse(Status);
    const session = this.open(flags);
    const cloud = await session.read('DescribeCloud', {});
    await session.showOne(cloudDetails(cloud));
    if (cloud.roles.length > 0) return 0;
    session.output.message('nothing runs: this is what is recorded, and hosts were not looked at');
    session.output.hint('start it by: novactl up');
    return ERROR_TABLE.Unavailable.exit;
  }
}
