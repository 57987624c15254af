import { instanceTypeListing } from '../../views/instance-types.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';

export class TypeList extends BaseCommand {
  static override summary = 'list instance types';
  static override aliases = ['list-type'];
  static override examples = [
    '<%= config.bin %> type list',
    '<%= config.bin %> type list --filter vcpus=1 --output name',
  ];
  static override flags = { ...listFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(TypeList);
    const session = this.open(flags);
    await session.show(instanceTypeListing(await session.read('DescribeInstanceTypes', {})));
  }
}
