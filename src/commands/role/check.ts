import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { roleArg, roleOf } from '../support/directory-flags.ts';
import { columnsFlag } from '../support/flags.ts';

/** As of what is refused. */
const HAS_NOT = 4;

export class RoleCheck extends BaseCommand {
  static override summary = 'say whether a user has a role';
  static override description =
    'The exit code is 0 when they have it, in the project or in the whole cloud, and 4 when they do not.';
  static override aliases = ['check-role'];
  static override examples = [
    '<%= config.bin %> role check developer anna --project lab',
    '<%= config.bin %> role check cloudadmin ops --json',
  ];
  static override args = {
    ...roleArg,
    user: Args.string({ description: 'name of the user; default: you', ignoreStdin: true }),
  };
  static override flags = {
    project: Flags.string({ description: "project; default the caller's own", helpValue: 'NAME' }),
    ...columnsFlag,
  };
  static override parameters = { Role: 'ROLE', UserName: 'USER', ProjectId: '--project' };

  async run(): Promise<number> {
    const { args, flags } = await this.parse(RoleCheck);
    const session = this.open(flags);
    const answer = await session.read('CheckRole', {
      Role: roleOf(args.role),
      ...(args.user === undefined ? {} : { UserName: args.user }),
      ...(flags.project === undefined ? {} : { ProjectId: flags.project }),
    });
    const { userName, projectId, role, has, from } = answer;
    const where = from === 'cloud' ? 'in the whole cloud' : `in project ${projectId}`;
    await session.showValue({ ...answer }, `${userName} ${has ? 'has' : 'does not have'} the role ${role} ${where}\n`);
    return has ? 0 : HAS_NOT;
  }
}
