import { Args } from '@oclif/core';
import { hostDetails } from '../../views/hosts.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';

export class HostEnable extends BaseCommand {
  static override summary = 'let new instances onto a host';
  static override description = 'Ends what host disable began.';
  static override aliases = ['enable-host'];
  static override examples = [
    '<%= config.bin %> host enable node1',
    '<%= config.bin %> host enable node1 --reason "new memory"',
  ];
  static override args = {
    host: Args.string({ description: 'name or id of the host', required: true, ignoreStdin: true }),
  };
  static override flags = { ...changeFlags, ...columnsFlag };
  static override parameters = { Host: 'HOST' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(HostEnable);
    const session = this.open(flags);
    const { host, operationId } = await session.change('SetHostState', { Host: args.host, State: 'up' });
    session.output.message(`${host.name} gets new instances again (${operationId})`);
    await session.showOne({ ...hostDetails(host, session.nowMs()), data: () => ({ host, operationId }) });
  }
}
