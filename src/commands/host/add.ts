import { Args, Flags } from '@oclif/core';
import { hostDetails } from '../../views/hosts.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';

export class HostAdd extends BaseCommand {
  static override summary = 'add a hypervisor host';
  static override description =
    'The host is asked for what it has and whether it can run guests before it is recorded; a host that can not is refused with the reason.';
  static override aliases = ['add-host'];
  static override examples = [
    '<%= config.bin %> host add node1',
    '<%= config.bin %> host add node1 --transport local --zone nova --reason "the first one"',
  ];
  static override args = {
    name: Args.string({ description: 'name of the new host', required: true, ignoreStdin: true }),
  };
  static override flags = {
    transport: Flags.option({
      description: 'how the host is reached; local is the machine of the daemon',
      options: ['local'] as const,
      default: 'local' as const,
    })(),
    zone: Flags.string({ description: 'availability zone', helpValue: 'ZONE' }),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = { Name: 'NAME', Zone: '--zone', Transport: '--transport' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(HostAdd);
    const session = this.open(flags);
    const { host, operationId } = await session.change('AddHost', {
      Name: args.name,
      Transport: { kind: flags.transport },
      ...(flags.zone === undefined ? {} : { Zone: flags.zone }),
    });
    session.output.message(`added the host ${host.name} (${operationId})`);
    await session.showOne({ ...hostDetails(host, session.nowMs()), data: () => ({ host, operationId }) });
    session.output.hint('give it something to do: novactl image build-tiny, then novactl instance run --image tiny');
  }
}
