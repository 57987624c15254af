import { CloudError } from '../../base/errors.ts';
import { projectDetails } from '../../views/projects.ts';
import { BaseCommand } from '../support/base-command.ts';
import { projectArg } from '../support/directory-flags.ts';
import { columnsFlag } from '../support/flags.ts';

export class ProjectShow extends BaseCommand {
  static override summary = 'show a project, with its members and their roles';
  static override aliases = ['show-project'];
  static override examples = ['<%= config.bin %> project show lab', '<%= config.bin %> project show lab --json'];
  static override args = projectArg;
  static override flags = { ...columnsFlag };
  static override parameters = { ProjectIds: 'PROJECT' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ProjectShow);
    const session = this.open(flags);
    const [project] = (await session.read('DescribeProjects', { ProjectIds: [args.project] })).projects;
    if (project === undefined) throw new CloudError('InvalidProject.NotFound', `there is no project ${args.project}`);
    await session.showOne(projectDetails(project, session.nowMs()));
  }
}
