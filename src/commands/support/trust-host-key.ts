import { CloudError } from '../../base/errors.ts';
import type { OperationInput } from '../../messages/operations/index.ts';
import type { Session } from './session.ts';

export type KeyTarget = NonNullable<OperationInput<'GetHostKey'>['Server']>;

/**
 * The fingerprint by which a machine shall be known: at a terminal a person compares what it shows; with --yes the first key that is seen is trusted;
 * otherwise it is refused, with what to type. `flag` is the one that would have said it.
 */
export async function trustHostKey(session: Session, server: KeyTarget, flag: string): Promise<string> {
  const { type, fingerprint } = await session.read('GetHostKey', { Server: server });
  const place = `${server.host} port ${server.port ?? 22}`;
  const short = type
    .replace(/^ssh-/, '')
    .replace(/-nistp\d+$/, '')
    .replace(/-sha2$/, '');
  const compare = `compare it on that machine's own console: ssh-keygen -l -f /etc/ssh/ssh_host_${short}_key.pub`;
  if (session.flags.yes) {
    session.output.warn(`${place} was never seen before; its host key ${type} ${fingerprint} is trusted from now on`);
    return fingerprint;
  }
  if (!session.io.interactive) {
    throw new CloudError(
      'MissingParameter',
      `missing ${flag}: ${place} answers with the host key ${type} ${fingerprint}; ${compare}; if it is the same, add: ${flag} ${fingerprint}`,
      { details: { fingerprint, type } },
    );
  }
  session.output.message(`${place} answers with the host key ${type} ${fingerprint}`);
  session.output.hint(compare);
  const { askYesNo } = await import('./ask.ts');
  if (await askYesNo(session.io, 'is this its key?')) return fingerprint;
  throw new CloudError('OperationNotPermitted', `the host key of ${place} is not trusted, nothing was done`);
}
