import { hostname } from 'node:os';
import { Args, Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { hostDetails } from '../../views/hosts.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';

export class HostAdd extends BaseCommand {
  static override summary = 'add a hypervisor host';
  static override description =
    'The host is asked for what it has and whether it can run guests before it is recorded; one that can not is refused with the reason. NAME is by default the name that this machine has.';
  static override aliases = ['add-host'];
  static override examples = [
    '<%= config.bin %> host add --local',
    '<%= config.bin %> host add node1 --local --zone nova --reason "the first one"',
  ];
  static override args = {
    name: Args.string({
      description: "name of the new host; with --local this machine's own by default",
      ignoreStdin: true,
    }),
  };
  static override flags = {
    local: Flags.boolean({ description: 'the machine that the cloud runs on', exclusive: ['simulated'] }),
    simulated: Flags.boolean({ description: 'a simulated host, where the configuration says drivers: simulated' }),
    zone: Flags.string({ description: 'availability zone', helpValue: 'ZONE' }),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = { Name: 'NAME', Zone: '--zone', Transport: '--local' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(HostAdd);
    if (!flags.local && !flags.simulated) {
      throw new CloudError(
        'UnsupportedOperation',
        'only this machine can be a host in this version; say so with --local',
      );
    }
    const session = this.open(flags);
    const name = args.name ?? ownName();
    const { host, operationId } = await session.change('AddHost', {
      Name: name,
      Transport: flags.simulated ? { kind: 'simulated', name } : { kind: 'local' },
      ...(flags.zone === undefined ? {} : { Zone: flags.zone }),
    });
    session.output.message(`added the host ${host.name} (${operationId})`);
    await session.showOne({ ...hostDetails(host, session.nowMs()), data: () => ({ host, operationId }) });
    session.output.hint('give it something to do: novactl image build-tiny, then novactl instance run --image tiny');
  }
}

/** The name of this machine as a host name may be: its first part, in lower case. */
function ownName(): string {
  return (
    (hostname().toLowerCase().split('.')[0] ?? '').replaceAll(/[^a-z0-9-]/g, '-').replaceAll(/^-+|-+$/g, '') || 'local'
  );
}
