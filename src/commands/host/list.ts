import { hostListing } from '../../views/hosts.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';

export class HostList extends BaseCommand {
  static override summary = 'list hosts';
  static override aliases = ['list-host'];
  static override examples = [
    '<%= config.bin %> host list',
    '<%= config.bin %> host list --filter state=down --columns name,problem,seen',
  ];
  static override flags = { ...listFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(HostList);
    const session = this.open(flags);
    const { hosts, rev } = await session.read('DescribeHosts', {});
    await session.show(hostListing(hosts, { rev }));
  }
}
