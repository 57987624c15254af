import { Args, Flags } from '@oclif/core';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags } from '../support/flags.ts';

export class HostRemove extends BaseCommand {
  static override summary = 'forget a host that has no instances, or one that is lost';
  static override description =
    'Refused while instances are on it. Nothing on the host itself is touched. At a terminal it asks first, unless --yes is given. A host that is gone for good is removed by --lost --confirm=HOST: its instances end as terminated, and their addresses and claims are given back. That is the only way to end instances of a host that does not answer, and it is refused while the host answers: make sure that it never comes back with its guests.';
  static override aliases = ['remove-host'];
  static override examples = [
    '<%= config.bin %> host remove node1',
    '<%= config.bin %> host remove node1 --yes --reason "goes back to the shop"',
    '<%= config.bin %> host remove --lost node1 --confirm=node1 --reason "burnt down"',
  ];
  static override args = {
    host: Args.string({ description: 'name or id of the host', required: true, ignoreStdin: true }),
  };
  static override flags = {
    lost: Flags.boolean({ description: 'the host is gone for good: end its instances', dependsOn: ['confirm'] }),
    confirm: Flags.string({ description: 'with --lost: its name once more', helpValue: 'HOST', dependsOn: ['lost'] }),
    ...changeFlags,
  };
  static override parameters = { Host: 'HOST', Confirm: '--confirm', Lost: '--lost' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(HostRemove);
    const session = this.open(flags);
    if (!flags.lost) await session.confirm(`remove the host ${args.host} from the cloud?`);
    const { hostId, instances, operationId } = await session.change('RemoveHost', {
      Host: args.host,
      ...(flags.lost ? { Lost: true, ...(flags.confirm === undefined ? {} : { Confirm: flags.confirm }) } : {}),
    });
    const ends = instances.length === 0 ? '' : `; ${instances.length} instances end as terminated`;
    session.output.message(`removed the host ${args.host} (${operationId})${ends}`);
    await session.showValue({ hostId, instances, operationId }, '');
  }
}
