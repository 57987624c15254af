import { projectListing } from '../../views/projects.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';

export class ProjectList extends BaseCommand {
  static override summary = 'list projects';
  static override description = 'A cloudadmin sees all of them, everybody else those that they are a member of.';
  static override aliases = ['list-project'];
  static override examples = [
    '<%= config.bin %> project list',
    '<%= config.bin %> project list --filter manager=anna --output name',
  ];
  static override flags = { ...listFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(ProjectList);
    const session = this.open(flags);
    const { projects, rev } = await session.read('DescribeProjects', {});
    await session.show(projectListing(projects, { rev }));
  }
}
