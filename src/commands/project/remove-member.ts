import { projectListing } from '../../views/projects.ts';
import { BaseCommand } from '../support/base-command.ts';
import { memberArgs } from '../support/directory-flags.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';

export class ProjectRemoveMember extends BaseCommand {
  static override summary = 'take a user out of a project';
  static override description =
    'The roles there go too, and their keys of the project let nobody in any more. What they made stays.';
  static override aliases = ['remove-member-project'];
  static override hiddenAliases = ['remove-project-member'];
  static override examples = [
    '<%= config.bin %> project remove-member lab anna',
    '<%= config.bin %> project remove-member lab anna --reason "new in the team" --json',
  ];
  static override args = memberArgs;
  static override flags = { ...changeFlags, ...columnsFlag };
  static override parameters = { ProjectId: 'PROJECT', UserName: 'USER' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ProjectRemoveMember);
    const session = this.open(flags);
    const input = { ProjectId: args.project, UserName: args.user };
    const { project, operationId } = await session.change('RemoveProjectMember', input);
    session.output.message(`took ${args.user} out of ${project.projectId} (${operationId})`);
    await session.show(projectListing([project], { operationId }));
  }
}
