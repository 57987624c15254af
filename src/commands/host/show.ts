import { Args } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { hostDetails } from '../../views/hosts.ts';
import { BaseCommand } from '../support/base-command.ts';
import { columnsFlag } from '../support/flags.ts';

export class HostShow extends BaseCommand {
  static override summary = 'show a host';
  static override aliases = ['show-host'];
  static override examples = ['<%= config.bin %> host show node1', '<%= config.bin %> host show node1 --output json'];
  static override args = {
    host: Args.string({ description: 'name or id of the host', required: true, ignoreStdin: true }),
  };
  static override flags = { ...columnsFlag };
  static override parameters = { Hosts: 'HOST' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(HostShow);
    const session = this.open(flags);
    const [host] = (await session.read('DescribeHosts', { Hosts: [args.host] })).hosts;
    if (host === undefined)
      throw new CloudError('InvalidHost.NotFound', `there is no host ${args.host}; see "novactl host list"`);
    await session.showOne(hostDetails(host, session.nowMs()));
  }
}
