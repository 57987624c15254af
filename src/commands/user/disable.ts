import { userListing } from '../../views/users.ts';
import { BaseCommand } from '../support/base-command.ts';
import { userArg } from '../support/directory-flags.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';

export class UserDisable extends BaseCommand {
  static override summary = 'let a user in no more';
  static override description =
    'What their keys sign is refused from then on, within a second everywhere; what they have stays.';
  static override aliases = ['disable-user'];
  static override examples = [
    '<%= config.bin %> user disable anna',
    '<%= config.bin %> user disable anna --reason "on leave"',
  ];
  static override args = userArg;
  static override flags = { ...changeFlags, ...columnsFlag };
  static override parameters = { UserName: 'USER' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UserDisable);
    const session = this.open(flags);
    const { user, operationId } = await session.change('ModifyUser', { UserName: args.user, Enabled: false });
    session.output.message(`disabled the user ${user.userName} (${operationId})`);
    await session.show(userListing([user], { operationId }));
  }
}
