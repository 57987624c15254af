import { Args, Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import { hostDetails } from '../../views/hosts.ts';
import { BaseCommand } from '../support/base-command.ts';
import { changeFlags, columnsFlag } from '../support/flags.ts';
import { checkFingerprint } from '../support/host-words.ts';
import type { Session } from '../support/session.ts';

export class HostSetKey extends BaseCommand {
  static override summary = 'pin another SSH host key of a host';
  static override description =
    'For a host that was installed anew: it is refused until the key by which it answers is pinned. At a terminal the two keys are shown and you are asked; elsewhere --fingerprint says which is right. Compare it on the host itself: ssh-keygen -l -f /etc/ssh/ssh_host_ed25519_key.pub.';
  static override aliases = ['set-key-host'];
  static override examples = [
    '<%= config.bin %> host set-key node1',
    '<%= config.bin %> host set-key node1 --fingerprint SHA256:ujqx5PmiHN2XkNHUCqGCkhzk5VKKuyoSVmPjQFTXbTE',
  ];
  static override args = {
    host: Args.string({ description: 'name or id of the host', required: true, ignoreStdin: true }),
  };
  static override flags = {
    fingerprint: Flags.string({ description: 'fingerprint of the new key', helpValue: 'SHA256:...' }),
    ...changeFlags,
    ...columnsFlag,
  };
  static override parameters = { Host: 'HOST', Fingerprint: '--fingerprint' };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(HostSetKey);
    const session = this.open(flags);
    const { fingerprint: said } = flags;
    const fingerprint = said === undefined ? await newKey(session, args.host) : checkFingerprint(said, '--fingerprint');
    const { host, operationId } = await session.change('SetHostKey', { Host: args.host, Fingerprint: fingerprint });
    session.output.message(`pinned ${fingerprint} for the host ${host.name} (${operationId})`);
    await session.showOne({ ...hostDetails(host, session.nowMs()), data: () => ({ host, operationId }) });
  }
}

/** The key by which the host answers now, if a person says that it is its own. */
async function newKey(session: Session, host: string): Promise<string> {
  const { type, fingerprint, pinned = 'none' } = await session.read('GetHostKey', { Host: host });
  if (fingerprint === pinned)
    throw new CloudError('IncorrectState', `${host} answers with the key that is pinned, ${pinned}`);
  const both = `${host} answers with ${type} ${fingerprint}, and ${pinned} is pinned`;
  if (!session.io.interactive) {
    throw new CloudError(
      'MissingParameter',
      `missing --fingerprint: ${both}; if the host was installed anew and shows the first on its own console, add: --fingerprint ${fingerprint}`,
    );
  }
  session.output.message(both);
  const { askYesNo } = await import('../support/ask.ts');
  if (await askYesNo(session.io, 'was the host installed anew, and is the first its key?')) return fingerprint;
  throw new CloudError('OperationNotPermitted', 'the key is not trusted, nothing was done');
}
