import { projectListing } from '../../views/projects.ts';
import { BaseCommand } from '../support/base-command.ts';
import { memberArgs } from '../support/directory-flags.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';

export class ProjectAddMember extends BaseCommand {
  static override summary = 'make a user a member of a project';
  static override description = 'A member sees what the project has; roles (novactl role add) let them change it.';
  static override aliases = ['add-member-project'];
  static override hiddenAliases = ['add-project-member'];
  static override examples = [
    '<%= config.bin %> project add-member lab anna',
    '<%= config.bin %> project add-member lab anna --reason "new in the team" --json',
  ];
  static override args = memberArgs;
  static override flags = { ...changeFlags, ...columnsFlag };
  static override parameters = { ProjectId: 'PROJECT', UserName: 'USER' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ProjectAddMember);
    const session = this.open(flags);
    const input = { ProjectId: args.project, UserName: args.user };
    const { project, operationId } = await session.change('AddProjectMember', input);
    session.output.message(`made ${args.user} a member of ${project.projectId} (${operationId})`);
    await session.show(projectListing([project], { operationId }));
  }
}
