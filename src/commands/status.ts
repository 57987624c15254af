import { cloudDetails } from '../views/cloud.ts';
import { BaseCommand } from './support/base-command.ts';
import { columnsFlag } from './support/flags.ts';

export class Status extends BaseCommand {
  static override summary = 'say how the cloud is';
  static override description = 'Ends with exit code 7 when no cloud is running.';
  static override examples = ['<%= config.bin %> status', '<%= config.bin %> status --json'];
  static override flags = { ...columnsFlag };

  async run(): Promise<void> {
    const { flags } = await this.parse(Status);
    const session = this.open(flags);
    await session.showOne(cloudDetails(await session.read('DescribeCloud', {})));
  }
}
