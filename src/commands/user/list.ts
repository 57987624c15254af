import { userListing } from '../../views/users.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';

export class UserList extends BaseCommand {
  static override summary = 'list users';
  static override description = 'A cloudadmin sees all of them, everybody else those of the project.';
  static override aliases = ['list-user'];
  static override examples = [
    '<%= config.bin %> user list',
    '<%= config.bin %> user list --filter state=disabled --output name',
  ];
  static override flags = { ...listFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(UserList);
    const session = this.open(flags);
    const { users, rev } = await session.read('DescribeUsers', {});
    await session.show(userListing(users, { rev }));
  }
}
