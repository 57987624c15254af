import { Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { userListing } from '../../views/users.ts';
import { BaseCommand } from '../support/base-command.ts';
import { userArg } from '../support/directory-flags.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';
import { givenPassword, passwordFlags } from '../support/password.ts';

export class UserModify extends BaseCommand {
  static override summary = 'change a user';
  static override description = 'What is not given stays as it is; an empty text takes it away.';
  static override aliases = ['modify-user'];
  static override examples = [
    '<%= config.bin %> user modify anna --email anna@example.org',
    '<%= config.bin %> user modify anna --password',
  ];
  static override args = userArg;
  static override flags = {
    'display-name': Flags.string({ description: 'name as people write it', helpValue: 'TEXT' }),
    email: Flags.string({ description: 'address', helpValue: 'ADDRESS' }),
    ...passwordFlags,
    'no-password': Flags.boolean({
      description: 'take the password away',
      exclusive: ['password', 'password-file'],
    }),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = {
    UserName: 'USER',
    DisplayName: '--display-name',
    Email: '--email',
    Password: '--password',
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UserModify);
    const session = this.open(flags);
    const password = flags['no-password'] ? '' : await givenPassword(this.io, flags);
    const changes = {
      ...(flags['display-name'] === undefined ? {} : { DisplayName: flags['display-name'] }),
      ...(flags.email === undefined ? {} : { Email: flags.email }),
      ...(password === undefined ? {} : { Password: password }),
    };
    if (Object.keys(changes).length === 0) {
      throw new CloudError(
        'MissingParameter',
        'nothing to change: give --display-name, --email, --password, --password-file or --no-password',
      );
    }
    const { user, operationId } = await session.change('ModifyUser', { UserName: args.user, ...changes });
    session.output.message(`changed the user ${user.userName} (${operationId})`);
    await session.show(userListing([user], { operationId }));
  }
}
