import { Args, Flags } from '@oclif/core';
import { instanceListing } from '../../views/instances.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';
import { describeInstances } from '../support/describe.ts';

export class InstanceList extends BaseCommand {
  static override summary = 'list instances';
  static override description = 'Terminated instances are left out unless --all is given; they stay known for an hour.';
  static override aliases = ['list-instance'];
  static override examples = [
    '<%= config.bin %> instance list',
    '<%= config.bin %> instance list --filter state=running --output wide',
    '<%= config.bin %> instance list --all --json',
  ];
  static override args = {
    id: Args.string({ description: 'only these instances', multiple: true, ignoreStdin: true }),
  };
  static override flags = {
    all: Flags.boolean({ char: 'a', description: 'terminated instances too' }),
    ...listFlags,
  };
  static override parameters = { InstanceIds: 'ID', InstanceId: 'ID' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(InstanceList);
    const session = this.open(flags);
    const { instances, rev } = await describeInstances(session, { ids: args.id, all: flags.all });
    await session.show(instanceListing(instances, { rev }));
  }
}
