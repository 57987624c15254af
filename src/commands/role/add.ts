import { roleListing } from '../../views/access.ts';
import { BaseCommand } from '../support/base-command.ts';
import { inProjectFlag, roleArg, roleOf, userArg } from '../support/directory-flags.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';

export class RoleAdd extends BaseCommand {
  static override summary = 'give a user a role';
  static override description =
    'With --project only there, where they must be a member; the manager of a project gives sysadmin, netadmin and developer in it. Without it in the whole cloud.';
  static override aliases = ['add-role'];
  static override examples = [
    '<%= config.bin %> role add developer anna --project lab',
    '<%= config.bin %> role add cloudadmin ops',
  ];
  static override args = { ...roleArg, ...userArg };
  static override flags = { ...inProjectFlag, ...changeFlags, ...columnsFlag };
  static override parameters = { Role: 'ROLE', UserName: 'USER', ProjectId: '--project' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RoleAdd);
    const session = this.open(flags);
    const where = flags.project === undefined ? {} : { ProjectId: flags.project };
    const input = { Role: roleOf(args.role), UserName: args.user, ...where };
    const { userName, projectId, roles, operationId } = await session.change('AddRole', input);
    const place = projectId === undefined ? 'the whole cloud' : `project ${projectId}`;
    session.output.message(`${userName} has ${roles.join(', ') || 'no role'} in ${place} (${operationId})`);
    const inProject = projectId === undefined ? {} : { projectId };
    const rows = roles.map((role) => ({ userName, role, ...inProject }));
    await session.show({ ...roleListing(rows, { operationId }), empty: '' });
  }
}
