import { userListing } from '../../views/users.ts';
import { BaseCommand } from '../support/base-command.ts';
import { userArg } from '../support/directory-flags.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';

export class UserEnable extends BaseCommand {
  static override summary = 'let a disabled user in again';
  static override description = 'Their keys, projects and roles are as they were.';
  static override aliases = ['enable-user'];
  static override examples = [
    '<%= config.bin %> user enable anna',
    '<%= config.bin %> user enable anna --reason "on leave"',
  ];
  static override args = userArg;
  static override flags = { ...changeFlags, ...columnsFlag };
  static override parameters = { UserName: 'USER' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UserEnable);
    const session = this.open(flags);
    const { user, operationId } = await session.change('ModifyUser', { UserName: args.user, Enabled: true });
    session.output.message(`enabled the user ${user.userName} (${operationId})`);
    await session.show(userListing([user], { operationId }));
  }
}
