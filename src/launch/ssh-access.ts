import { fetchHostKey } from '../adapters/host-shell/fetch-host-key.ts';
import type { SshIdentity, SshTarget } from '../adapters/host-shell/ssh-target.ts';
import type { Clock } from '../base/clock.ts';
import type { SshLogin, SshTransport } from '../domain/records.ts';
import type { HostKeyQuery, SshHostKey } from '../ports/host-reach.ts';
import type { CloudKey } from './cloud-key.ts';

const KEY_TIMEOUT_MS = 15_000;

/** How a login proves who it is; the cloud's own key is made if it is not there yet. */
async function identityOf(login: SshLogin, cloudKey: CloudKey): Promise<SshIdentity> {
  if (login.kind === 'agent') return login;
  if (login.kind === 'file') return { kind: 'key', path: login.path };
  await cloudKey.publicLine();
  return { kind: 'key', path: cloudKey.path };
}

/** A recorded transport as the SSH adapter wants it. */
export async function sshTarget(transport: SshTransport, cloudKey: CloudKey): Promise<SshTarget> {
  const { host, port, user, hostKey, login, sudo, jump } = transport;
  const identity = await identityOf(login, cloudKey);
  return { host, port, user, hostKey, identity, sudo, ...(jump === undefined ? {} : { jump: { ...jump, identity } }) };
}

/** The key by which a machine answers, perhaps by way of a jump host. */
export async function askHostKey(
  query: HostKeyQuery,
  { clock, cloudKey }: { clock: Clock; cloudKey: CloudKey },
): Promise<SshHostKey> {
  const { host, port, fingerprint, jump } = query;
  return fetchHostKey({
    ...{ host, port, clock },
    timeoutMs: KEY_TIMEOUT_MS,
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(jump === undefined ? {} : { via: { ...jump.server, identity: await identityOf(jump.login, cloudKey) } }),
  });
}
