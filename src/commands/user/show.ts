import { CloudError } from '../../base/errors.ts';
import { userDetails } from '../../views/users.ts';
import { BaseCommand } from '../support/base-command.ts';
import { userArg } from '../support/directory-flags.ts';
import { columnsFlag } from '../support/flags.ts';

export class UserShow extends BaseCommand {
  static override summary = 'show a user, with roles and projects';
  static override aliases = ['show-user'];
  static override examples = ['<%= config.bin %> user show anna', '<%= config.bin %> user show anna --json'];
  static override args = userArg;
  static override flags = { ...columnsFlag };
  static override parameters = { UserNames: 'USER' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UserShow);
    const session = this.open(flags);
    const [user] = (await session.read('DescribeUsers', { UserNames: [args.user] })).users;
    if (user === undefined) throw new CloudError('InvalidUser.NotFound', `there is no user ${args.user}`);
    await session.showOne(userDetails(user, session.nowMs()));
  }
}
