import { Args, Flags } from '@oclif/core';
import { projectListing } from '../../views/projects.ts';
import { BaseCommand } from '../support/base-command.ts';
import { missing } from '../support/directory-flags.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';
import type { Session } from '../support/session.ts';

interface Asked {
  readonly name: string;
  readonly manager?: string | undefined;
  readonly description?: string | undefined;
}

export class ProjectCreate extends BaseCommand {
  static override summary = 'make a project';
  static override description =
    'A project owns instances, images, volumes and networks, has limits of its own, and is what EC2 clients see as an account. At a terminal, without a name, it asks for what is needed.';
  static override aliases = ['create-project'];
  static override examples = [
    '<%= config.bin %> project create lab --manager anna --description "where we try things"',
    '<%= config.bin %> project create lab --manager anna --member bob --member carol --json',
  ];
  static override args = { project: Args.string({ description: 'name of the project', ignoreStdin: true }) };
  static override flags = {
    manager: Flags.string({ description: 'user who manages it; default: you, or admin', helpValue: 'NAME' }),
    description: Flags.string({ description: 'what it is for', helpValue: 'TEXT' }),
    member: Flags.string({
      description: 'another member; may be repeated',
      helpValue: 'NAME',
      multiple: true,
      multipleNonGreedy: true,
    }),
    'account-id': Flags.string({ description: 'its 12 digits; default: drawn', helpValue: 'DIGITS' }),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = {
    ProjectId: 'PROJECT',
    Manager: '--manager',
    Description: '--description',
    Members: '--member',
    AccountId: '--account-id',
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ProjectCreate);
    const session = this.open(flags);
    const { manager, description } = flags;
    const wanted: Asked =
      args.project === undefined
        ? await askForProject(session, { manager, description })
        : { name: args.project, manager, description };
    const { project, operationId } = await session.change('CreateProject', {
      ProjectId: wanted.name,
      ...(wanted.manager === undefined ? {} : { Manager: wanted.manager }),
      ...(wanted.description === undefined ? {} : { Description: wanted.description }),
      ...(flags.member === undefined ? {} : { Members: flags.member }),
      ...(flags['account-id'] === undefined ? {} : { AccountId: flags['account-id'] }),
    });
    session.output.message(`made the project ${project.projectId}, account ${project.accountId} (${operationId})`);
    await session.show(projectListing([project], { operationId }));
    session.output.hint(
      `make a key for it by: novactl key create --user ${project.manager} --project ${project.projectId}`,
    );
  }
}

async function askForProject(session: Session, given: Omit<Asked, 'name'>): Promise<Asked> {
  if (!session.canAsk) throw missing('PROJECT', 'name of the project');
  const { dialogue } = await import('../support/dialogue.ts');
  return dialogue(session.io, async (talk) => {
    const name = await talk.ask('name of the project: ');
    if (name === '') throw missing('PROJECT', 'name of the project');
    const manager = given.manager ?? (await talk.ask('who manages it (empty: you, or admin): '));
    const description = given.description ?? (await talk.ask('what it is for (empty: nothing said): '));
    return { name, ...(manager === '' ? {} : { manager }), ...(description === '' ? {} : { description }) };
  });
}
