import { serviceDetails } from '../../views/services.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag, serviceArg } from '../support/flags.ts';

export class ServiceDisable extends BaseCommand {
  static override summary = 'give a process no more hosts';
  static override description =
    'Hosts that it has stay with it, as controller and as worker, until it ends; others get the next ones. It holds over restarts of the process, until service enable. A process with the api role alone has no hosts, so it is not changed by this.';
  static override aliases = ['disable-service'];
  static override examples = [
    '<%= config.bin %> service disable node1',
    '<%= config.bin %> service disable node1 --reason "is to be replaced"',
  ];
  static override args = serviceArg;
  static override flags = { ...changeFlags, ...columnsFlag };
  static override parameters = { Service: 'SERVICE', Reason: '--reason' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ServiceDisable);
    const session = this.open(flags);
    const { service, operationId } = await session.change('DisableService', {
      Service: args.service,
      ...(flags.reason === undefined ? {} : { Reason: flags.reason }),
    });
    session.output.message(`${service.serviceId} gets no more hosts (${operationId})`);
    await session.showOne({ ...serviceDetails(service, session.nowMs()), data: () => ({ service, operationId }) });
  }
}
