import { Args } from '@oclif/core';
import { hostDetails } from '../../views/hosts.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';

export class HostDisable extends BaseCommand {
  static override summary = 'keep new instances off a host';
  static override description =
    'The host goes into maintenance: nothing new is placed there, and what is there stays, is looked after and can be stopped, started and terminated.';
  static override aliases = ['disable-host'];
  static override examples = [
    '<%= config.bin %> host disable node1',
    '<%= config.bin %> host disable node1 --reason "new memory"',
  ];
  static override args = {
    host: Args.string({ description: 'name or id of the host', required: true, ignoreStdin: true }),
  };
  static override flags = { ...changeFlags, ...columnsFlag };
  static override parameters = { Host: 'HOST' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(HostDisable);
    const session = this.open(flags);
    const { host, operationId } = await session.change('SetHostState', { Host: args.host, State: 'maintenance' });
    session.output.message(`${host.name} gets no new instances (${operationId})`);
    await session.showOne({ ...hostDetails(host, session.nowMs()), data: () => ({ host, operationId }) });
  }
}
