import { Args } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags } from '../support/flags.ts';

export class HostRemove extends BaseCommand {
  static override summary = 'forget a host that has no instances';
  static override description =
    'Refused while instances are on it. Nothing on the host itself is touched. At a terminal it asks first, unless --yes is given.';
  static override aliases = ['remove-host'];
  static override examples = [
    '<%= config.bin %> host remove node1',
    '<%= config.bin %> host remove node1 --yes --reason "goes back to the shop"',
  ];
  static override args = {
    host: Args.string({ description: 'name or id of the host', required: true, ignoreStdin: true }),
  };
  static override flags = { ...changeFlags };
  static override parameters = { Host: 'HOST' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(HostRemove);
    const session = this.open(flags);
    await session.confirm(`remove the host ${args.host} from the cloud?`);
    const { hostId, operationId } = await session.change('RemoveHost', { Host: args.host });
    session.output.message(`removed the host ${args.host} (${operationId})`);
    await session.showValue({ hostId, operationId }, '');
  }
}
