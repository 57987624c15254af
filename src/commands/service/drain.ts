import { humanDuration } from '../../base/units.ts';
import { CloudError } from '../../base/errors.ts';
import { serviceDetails, type ServiceView } from '../../views/services.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag, serviceArg, waitFlags } from '../support/flags.ts';
import type { Session } from '../support/session.ts';

const LOOK_MS = 500;

export class ServiceDrain extends BaseCommand {
  static override summary = 'move the hosts of a process to others';
  static override description =
    'Before work on its machine: other controllers take over the hosts that it reconciles, other workers those that it has open, and it gets no new ones until service enable. Instances run on. With --wait it ends when the process has none left. A process that is stopped by SIGTERM does the same by itself.';
  static override aliases = ['drain-service'];
  static override examples = [
    '<%= config.bin %> service drain node1 --wait',
    '<%= config.bin %> service drain node1 --reason "new kernel" --wait --timeout 5m',
  ];
  static override args = serviceArg;
  static override flags = { ...changeFlags, ...waitFlags('it has no hosts left'), ...columnsFlag };
  static override parameters = { Service: 'SERVICE', Services: 'SERVICE', Reason: '--reason' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ServiceDrain);
    const session = this.open(flags);
    const { service, operationId } = await session.change('DrainService', {
      Service: args.service,
      ...(flags.reason === undefined ? {} : { Reason: flags.reason }),
    });
    session.output.message(`${service.serviceId} gives its hosts to others (${operationId})`);
    const last = flags.wait ? await untilEmpty(session, args.service, flags.timeout) : service;
    await session.showOne({ ...serviceDetails(last, session.nowMs()), data: () => ({ service: last, operationId }) });
  }
}

const hostsOf = ({ owns = 0, opens = 0 }: ServiceView): number => owns + opens;

async function untilEmpty(session: Session, name: string, timeoutMs: number): Promise<ServiceView> {
  const { clock, signal } = session.io;
  const startMs = clock.monotonicMs();
  for (;;) {
    const [service] = (await session.read('DescribeServices', { Services: [name] })).services;
    if (service !== undefined && service.state === 'lost')
      throw new CloudError('Unreachable', `${name} is lost: it says nothing any more, and others take its hosts over`);
    // What it said before it heard of the decision may be of before.
    const isHeard = service?.lastHelloMs !== undefined && clock.monotonicMs() - startMs >= HELLO_MS;
    if (service !== undefined && isHeard && hostsOf(service) === 0) return service;
    if (clock.monotonicMs() - startMs >= timeoutMs) {
      const left = service === undefined ? 'its hosts' : `${service.owns ?? 0} owned and ${service.opens ?? 0} open`;
      throw new CloudError(
        'Timeout',
        `${name} still has hosts after ${humanDuration(timeoutMs)} (${left}); it goes on by itself, if another process with its roles runs`,
      );
    }
    session.output.progress(service === undefined ? '' : `${hostsOf(service)} hosts left`);
    await clock.sleep(LOOK_MS, signal);
  }
}

/** A process speaks every 3 s. */
const HELLO_MS = 3500;
