import { hostname } from 'node:os';
import { Args, Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { hostDetails } from '../../views/hosts.ts';
import { addHostsFrom } from '../support/add-hosts.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';
import { parseHostWord } from '../support/host-words.ts';
import type { Session } from '../support/session.ts';
import { showHostChecks } from '../support/show-host-checks.ts';
import { sshCommon, sshFlags, sshTransport, type SshFlagValues, type TransportInput } from '../support/ssh-flags.ts';

interface Wanted extends SshFlagValues {
  readonly local: boolean;
  readonly simulated: boolean;
}

export class HostAdd extends BaseCommand {
  static override summary = 'add a hypervisor host';
  static override description =
    'NAME is [user@]name[:port] of a machine with sshd and libvirt; the cloud logs in with a key of its own ("novactl host key" prints the line for authorized_keys), with --identity or with --agent. The host key must be known: by --fingerprint, by comparing it at the terminal, or with --yes by trusting what is seen first; from then on no other is accepted. The host is asked for what it has and whether it can run guests before it is recorded; one that can not is refused with the reason. --check looks at everything and adds nothing. A file for --from holds [user@]name[:port] [SHA256:fingerprint] a line. With --local the host is this machine, and NAME by default the name that it has.';
  static override aliases = ['add-host'];
  static override examples = [
    '<%= config.bin %> host add --local',
    '<%= config.bin %> host add root@node1 --check',
    '<%= config.bin %> host add admin@node2:2222 --sudo --fingerprint SHA256:ujqx5PmiHN2XkNHUCqGCkhzk5VKKuyoSVmPjQFTXbTE',
    '<%= config.bin %> host add node3 --address 10.0.0.13 --jump gate.example.net',
    '<%= config.bin %> host add --from hosts.txt --reason "the new rack"',
  ];
  static override args = {
    name: Args.string({
      description: "[user@]name[:port] of the new host; with --local this machine's own name by default",
      ignoreStdin: true,
    }),
  };
  static override flags = {
    local: Flags.boolean({ description: 'the machine that the cloud runs on', exclusive: ['simulated', 'from'] }),
    simulated: Flags.boolean({
      description: 'a simulated host, where the configuration says drivers: simulated',
      exclusive: ['from'],
    }),
    ...sshFlags,
    from: Flags.string({
      description: 'add every host that this file names',
      helpValue: 'FILE',
      exclusive: ['address', 'fingerprint', 'check'],
    }),
    check: Flags.boolean({ description: 'only look whether it can be a host; nothing is changed' }),
    zone: Flags.string({ description: 'availability zone', helpValue: 'ZONE' }),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = {
    Name: 'NAME',
    Zone: '--zone',
    'Transport.host': '--address',
    'Transport.port': '--port',
    'Transport.user': 'NAME',
    'Transport.login': '--identity',
    'Transport.jump': '--jump',
    Transport: 'NAME',
    'Server.host': 'NAME',
    'Server.user': 'NAME',
    'Server.jump': '--jump',
    'Server.login': '--identity',
  };

  async run(): Promise<number | void> {
    const { args, flags } = await this.parse(HostAdd);
    const session = this.open(flags);
    if (flags.from !== undefined) {
      if (args.name !== undefined)
        throw new CloudError('InvalidParameterValue', `--from names the hosts, not "${args.name}"`);
      return addHostsFrom(session, { file: flags.from, zone: flags.zone, flags });
    }
    const { name, transport } = await machineOf(session, args.name, flags);
    if (flags.check) return showHostChecks(session, name, { Transport: transport });
    const { host, operationId } = await session.change('AddHost', {
      Name: name,
      Transport: transport,
      ...(flags.zone === undefined ? {} : { Zone: flags.zone }),
    });
    session.output.message(`added the host ${host.name} (${operationId})`);
    await session.showOne({ ...hostDetails(host, session.nowMs()), data: () => ({ host, operationId }) });
    if (host.state === 'up' && host.problem !== undefined) session.output.warn(`${host.name}: ${host.problem}`);
    session.output.hint('give it something to do: novactl image build-tiny, then novactl instance run --image tiny');
  }
}

/** What the host is to be called, and how it is reached; its key is trusted here. */
async function machineOf(
  session: Session,
  word: string | undefined,
  flags: Wanted,
): Promise<{ name: string; transport: TransportInput }> {
  if (flags.simulated || flags.local) {
    const name = word ?? ownName();
    return { name, transport: flags.simulated ? { kind: 'simulated', name } : { kind: 'local' } };
  }
  if (word === undefined) {
    throw new CloudError(
      'MissingParameter',
      'missing NAME: [user@]name[:port] of the host, or --local, or --from FILE',
    );
  }
  const parsed = parseHostWord(word, 'NAME');
  if (parsed.host.includes(':')) {
    throw new CloudError('InvalidParameterValue', `NAME must be a name; give the address as --address ${parsed.host}`);
  }
  const common = await sshCommon(session, flags);
  const machine = { ...parsed, host: flags.address ?? parsed.host };
  return { name: parsed.host, transport: await sshTransport(session, machine, common, flags.fingerprint) };
}

/** The name of this machine as a host name may be: its first part, in lower case. */
function ownName(): string {
  return (
    (hostname().toLowerCase().split('.')[0] ?? '').replaceAll(/[^a-z0-9-]/g, '-').replaceAll(/^-+|-+$/g, '') || 'local'
  );
}
