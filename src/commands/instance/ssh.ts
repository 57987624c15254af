import { existsSync } from 'node:fs';
import { Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import type { InstanceView } from '../../views/instances.ts';
import { BaseCommand } from '../support/base-command.ts';
import { describeInstances } from '../support/describe.ts';
import { duration, idArg } from '../support/flags.ts';
import { keyPath } from '../support/key-files.ts';
import { pinnedHostKeys } from '../support/pin-host-keys.ts';
import type { Session } from '../support/session.ts';
import { sshArgv } from '../support/ssh-argv.ts';
import { wayToGuests } from '../support/way-to-guests.ts';

const TINY = 'tiny';
const SSH_PORT = 22;
const REACH_MS = 3000;

export class InstanceSsh extends BaseCommand {
  static override summary = 'log in to an instance, or run a command there';
  static override description =
    'The host keys that the guest printed on its console are pinned at the first time and alone trusted after it. The guest of a host over SSH is reached through that host, with the key of the cloud where you may read it and with keys of your own where not. Ends with the exit code of ssh.';
  static override aliases = ['ssh-instance'];
  static override examples = [
    '<%= config.bin %> instance ssh i-0123456789abcdef0',
    '<%= config.bin %> instance ssh i-0123456789abcdef0 --login admin --identity ~/.ssh/id_ed25519 -- uname -a',
  ];
  static override args = idArg('instance to log in to');
  static override flags = {
    login: Flags.string({
      char: 'l',
      description: 'user in the guest; root for tiny, ec2-user for others',
      helpValue: 'USER',
    }),
    identity: Flags.string({ description: 'file of the private key; default that of the key pair', helpValue: 'FILE' }),
    timeout: duration('timeout', {
      description: 'longest wait for the guest to print its host keys',
      default: 300_000,
      defaultText: '5m',
    }),
  };
  static override parameters = { InstanceIds: 'ID', InstanceId: 'ID' };

  async run(): Promise<number> {
    const end = this.argv.indexOf('--');
    const command = end < 0 ? [] : this.argv.slice(end + 1);
    const { args, flags } = await this.parse(InstanceSsh, end < 0 ? this.argv : this.argv.slice(0, end));
    const session = this.open(flags);
    const instance = await running(session, args.id);
    await mustReach(session, instance.privateIpAddress);
    const identity = flags.identity ?? this.#ownKey(instance);
    const login = flags.login ?? (await loginFor(session, instance.imageId));
    const knownHostsFile = await pinnedHostKeys(session, instance.instanceId, flags.timeout);
    const proxyCommand = await wayToGuests(session, instance.hostId);
    return this.io.exec(
      'ssh',
      sshArgv({
        instanceId: instance.instanceId,
        address: instance.privateIpAddress,
        login,
        identity,
        knownHostsFile,
        proxyCommand,
        batch: !this.io.interactive,
        command,
      }),
    );
  }

  /** The file that `keypair create` wrote; without one ssh tries what it has (its agent, its own keys). */
  #ownKey({ keyName, instanceId }: InstanceView): string | undefined {
    if (keyName === undefined) {
      throw new CloudError(
        'IncorrectState',
        `${instanceId} was started without a key pair; name a private key that it takes by --identity`,
      );
    }
    const path = keyPath(this.io.env, keyName);
    return existsSync(path) ? path : undefined;
  }
}

/** Instances have addresses of their host's networks: from another machine there is a way only where somebody made one. */
async function mustReach(session: Session, address: string): Promise<void> {
  const elsewhere = await session.elsewhere();
  if (elsewhere === undefined) return;
  const { canConnect } = await import('../support/can-connect.ts');
  if (await canConnect(address, SSH_PORT, REACH_MS)) return;
  throw new CloudError(
    'Unavailable',
    `${address} can't be reached from this machine: instances' addresses are known on their host alone; log in there, route to them, or use: novactl instance console`,
  );
}

async function running(session: Session, id: string): Promise<InstanceView> {
  const [instance] = (await describeInstances(session, { ids: [id], all: true })).instances;
  if (instance === undefined) throw new CloudError('InvalidInstanceID.NotFound', `there is no instance ${id}`);
  if (instance.state === 'running') return instance;
  throw new CloudError(
    'IncorrectInstanceState',
    `${id} is ${instance.state}; wait by: novactl instance wait ${id} --for running`,
  );
}

async function loginFor(session: Session, imageId: string): Promise<string> {
  const { images } = await session.read('DescribeImages', {});
  return images.find((image) => image.imageId === imageId)?.name === TINY ? 'root' : 'ec2-user';
}
