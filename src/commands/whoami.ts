import { identityDetails } from '../views/access.ts';
import { BaseCommand } from './support/base-command.ts';
import { columnsFlag } from './support/flags.ts';

export class Whoami extends BaseCommand {
  static override summary = 'say who the cloud takes you for';
  static override examples = ['<%= config.bin %> whoami', '<%= config.bin %> whoami --json'];
  static override flags = { ...columnsFlag };

  async run(): Promise<void> {
    const { flags } = await this.parse(Whoami);
    const session = this.open(flags);
    await session.showOne(identityDetails(await session.read('GetCallerIdentity', {})));
  }
}
