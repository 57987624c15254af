import { serviceListing } from '../../views/services.ts';
import { BaseCommand } from '../support/base-command.ts';
import { listFlags } from '../support/flags.ts';

export class ServiceList extends BaseCommand {
  static override summary = "list the cloud's processes";
  static override description =
    'What each process last said of itself: its roles, how far its copy of the state is behind (lag), messages that wait in it (queue), hosts that it reconciles as a controller (owns) and hosts that it has open as a worker (opens). One that says nothing for 15 s is shown as lost, and after an hour no more.';
  static override aliases = ['list-service', 'list-services'];
  static override examples = [
    '<%= config.bin %> service list',
    '<%= config.bin %> service list --filter state!=up --columns name,state,problem',
  ];
  static override flags = { ...listFlags };

  async run(): Promise<void> {
    const { flags } = await this.parse(ServiceList);
    const session = this.open(flags);
    const { services, rev } = await session.read('DescribeServices', {});
    await session.show(serviceListing(services, { rev }));
  }
}
