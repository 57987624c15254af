import { Flags } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { userArg } from '../support/directory-flags.ts';
import { changeFlags } from '../support/flags.ts';

export class UserDelete extends BaseCommand {
  static override summary = 'delete a user';
  static override description =
    'Who has access keys, manages a project or is a member of one is not deleted, and what that is is listed, unless --reassign-to or --purge say what becomes of it. What they made in projects stays there.';
  static override aliases = ['delete-user'];
  static override examples = [
    '<%= config.bin %> user delete anna',
    '<%= config.bin %> user delete anna --reassign-to bob --reason "left the team"',
  ];
  static override args = userArg;
  static override flags = {
    'reassign-to': Flags.string({
      description: 'user who manages their projects from then on; access keys and memberships are deleted',
      helpValue: 'NAME',
      exclusive: ['purge'],
    }),
    purge: Flags.boolean({ description: 'delete their access keys and memberships too' }),
    ...changeFlags,
  };
  static override parameters = { UserName: 'USER', ReassignTo: '--reassign-to', Purge: '--purge' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(UserDelete);
    const session = this.open(flags);
    await session.confirm(`delete the user ${args.user}?`);
    const { userName, deletedAccessKeys, operationId } = await session.change('DeleteUser', {
      UserName: args.user,
      ...(flags['reassign-to'] === undefined ? {} : { ReassignTo: flags['reassign-to'] }),
      ...(flags.purge ? { Purge: true } : {}),
    });
    const keys = deletedAccessKeys.length === 0 ? '' : ` with the access keys ${deletedAccessKeys.join(', ')}`;
    session.output.message(`deleted the user ${userName}${keys} (${operationId})`);
    await session.showValue({ userName, deletedAccessKeys, operationId }, '');
  }
}
