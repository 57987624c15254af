import { Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { projectListing } from '../../views/projects.ts';
import { BaseCommand } from '../support/base-command.ts';
import { projectArg } from '../support/directory-flags.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';

export class ProjectModify extends BaseCommand {
  static override summary = 'change what a project is for, or who manages it';
  static override description =
    'Who becomes the manager is made a member; who was it stays one. An empty description takes it away.';
  static override aliases = ['modify-project'];
  static override examples = [
    '<%= config.bin %> project modify lab --manager bob',
    '<%= config.bin %> project modify lab --description "where we try things"',
  ];
  static override args = projectArg;
  static override flags = {
    manager: Flags.string({ description: 'user who manages it from then on', helpValue: 'NAME' }),
    description: Flags.string({ description: 'what it is for', helpValue: 'TEXT' }),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = { ProjectId: 'PROJECT', Manager: '--manager', Description: '--description' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ProjectModify);
    const session = this.open(flags);
    const { manager, description } = flags;
    if (manager === undefined && description === undefined)
      throw new CloudError('MissingParameter', 'nothing to change: give --manager or --description');
    const { project, operationId } = await session.change('ModifyProject', {
      ProjectId: args.project,
      ...(manager === undefined ? {} : { Manager: manager }),
      ...(description === undefined ? {} : { Description: description }),
    });
    session.output.message(`changed the project ${project.projectId} (${operationId})`);
    await session.show(projectListing([project], { operationId }));
  }
}
