import { CloudError } from '../../base/errors.ts';
import { serviceDetails } from '../../views/services.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag, serviceArg } from '../support/flags.ts';

export class ServiceShow extends BaseCommand {
  static override summary = "show one of the cloud's processes";
  static override aliases = ['show-service'];
  static override examples = [
    '<%= config.bin %> service show node1',
    '<%= config.bin %> service show node1 --output json',
  ];
  static override args = serviceArg;
  static override flags = { ...columnsFlag };
  static override parameters = { Services: 'SERVICE' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ServiceShow);
    const session = this.open(flags);
    const [service] = (await session.read('DescribeServices', { Services: [args.service] })).services;
    if (service === undefined)
      throw new CloudError(
        'InvalidService.NotFound',
        `there is no process ${args.service}; see "novactl service list"`,
      );
    await session.showOne(serviceDetails(service, session.nowMs()));
  }
}
