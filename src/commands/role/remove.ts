import { roleListing } from '../../views/access.ts';
import { BaseCommand } from '../support/base-command.ts';
import { inProjectFlag, roleArg, roleOf, userArg } from '../support/directory-flags.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';

export class RoleRemove extends BaseCommand {
  static override summary = 'take a role from a user';
  static override description = 'What is signed from then on is judged without it, within a second everywhere.';
  static override aliases = ['remove-role'];
  static override examples = [
    '<%= config.bin %> role remove developer anna --project lab',
    '<%= config.bin %> role remove cloudadmin ops',
  ];
  static override args = { ...roleArg, ...userArg };
  static override flags = { ...inProjectFlag, ...changeFlags, ...columnsFlag };
  static override parameters = { Role: 'ROLE', UserName: 'USER', ProjectId: '--project' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(RoleRemove);
    const session = this.open(flags);
    const where = flags.project === undefined ? {} : { ProjectId: flags.project };
    const input = { Role: roleOf(args.role), UserName: args.user, ...where };
    const { userName, projectId, roles, operationId } = await session.change('RemoveRole', input);
    const place = projectId === undefined ? 'the whole cloud' : `project ${projectId}`;
    session.output.message(`${userName} has ${roles.join(', ') || 'no role'} in ${place} (${operationId})`);
    const inProject = projectId === undefined ? {} : { projectId };
    const rows = roles.map((role) => ({ userName, role, ...inProject }));
    await session.show({ ...roleListing(rows, { operationId }), empty: '' });
  }
}
