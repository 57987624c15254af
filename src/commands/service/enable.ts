import { serviceDetails } from '../../views/services.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag, serviceArg } from '../support/flags.ts';

export class ServiceEnable extends BaseCommand {
  static override summary = 'let a process have hosts again';
  static override description = 'Ends what service disable or service drain began.';
  static override aliases = ['enable-service'];
  static override examples = [
    '<%= config.bin %> service enable node1',
    '<%= config.bin %> service enable node1 --reason "new memory is in"',
  ];
  static override args = serviceArg;
  static override flags = { ...changeFlags, ...columnsFlag };
  static override parameters = { Service: 'SERVICE' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ServiceEnable);
    const session = this.open(flags);
    const { service, operationId } = await session.change('EnableService', { Service: args.service });
    session.output.message(`${service.serviceId} may have hosts again (${operationId})`);
    await session.showOne({ ...serviceDetails(service, session.nowMs()), data: () => ({ service, operationId }) });
  }
}
