import { Client } from 'ldapts';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { CloudError, errorText } from '../../base/errors.ts';
import { isLdapCode, unavailable } from './ldap-problems.ts';
import { readLdapServer, type LdapAccess, type LdapServer } from './ldap-settings.ts';

/** One connection that is bound as somebody. It never becomes another one: when it ends, all that waits on it fails, and so does all that comes later. */
export class LdapSession {
  readonly #socket: Socket;
  readonly #client: Client;
  readonly #access: LdapAccess;
  readonly #waiting = new Set<(reason: Error) => void>();
  #ended: Error | undefined;

  constructor(socket: Socket, access: LdapAccess) {
    this.#socket = socket;
    this.#access = access;
    let taken = false;
    this.#client = new Client({
      url: 'ldap://localhost',
      // Left to itself the client dials again in silence and goes on unbound: "no such entry" would then mean "I don't know you".
      createConnection: () => {
        if (taken) throw new Error('the connection has ended');
        taken = true;
        return socket;
      },
    });
    socket.on('close', () => this.end(new Error('the connection ended')));
  }

  get alive(): boolean {
    return this.#ended === undefined;
  }

  /** Runs one exchange. When there is no answer in time the connection is given up, as what it says later would be of no use. */
  async run<T>(exchange: (client: Client) => Promise<T>): Promise<T> {
    if (this.#ended !== undefined) throw this.#ended;
    const { clock, timeoutMs } = this.#access;
    let fail: (reason: Error) => void = () => undefined;
    const over = new Promise<never>((_, reject) => (fail = reject));
    this.#waiting.add(fail);
    const timer = clock.after(timeoutMs, () => this.end(new Error(`no answer within ${timeoutMs} ms`)));
    try {
      return await Promise.race([exchange(this.#client), over]);
    } finally {
      timer.cancel();
      this.#waiting.delete(fail);
    }
  }

  /** Cuts it. */
  end(reason: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    for (const fail of this.#waiting) fail(reason);
    this.#waiting.clear();
    this.#socket.destroy();
  }

  /** Says goodbye, and does not wait for long. */
  async close(): Promise<void> {
    if (this.alive) await this.run((client) => client.unbind()).catch(() => undefined);
    this.end(new Error('it was closed'));
  }
}

const tlsOptions = ({ ca }: LdapAccess, { host }: LdapServer): ConnectionOptions => ({
  host,
  minVersion: 'TLSv1.2',
  ...(ca === undefined ? {} : { ca }),
  ...(isIP(host) === 0 ? { servername: host } : {}),
});

/** A socket that is connected, and by TLS also sure of the other side. */
function openSocket(access: LdapAccess): Promise<Socket> {
  const server = readLdapServer(access);
  const { clock, connectTimeoutMs } = access;
  return new Promise((resolve, reject) => {
    const { host, port, secure } = server;
    const options = { host, port, noDelay: true, keepAlive: true };
    const socket = secure ? connectTls({ ...options, ...tlsOptions(access, server) }) : connectPlain(options);
    const timer = clock.after(connectTimeoutMs, () => {
      socket.destroy(new Error(`${host}:${port}: no connection within ${connectTimeoutMs} ms`));
    });
    socket.on('error', (error) => {
      timer.cancel();
      reject(error);
    });
    socket.once(secure ? 'secureConnect' : 'connect', () => {
      timer.cancel();
      resolve(socket);
    });
  });
}

/** What is told of a bind that was refused. The password is never in it. */
function bindRefused(dn: string, error: unknown): CloudError {
  const why = isLdapCode(error, 'invalidCredentials') ? 'name or password are wrong, or the account is locked' : '';
  const text = `the directory does not let ${dn} in: ${why || errorText(error)}; see directory.bindDn and directory.bindPasswordFile`;
  return new CloudError('Unavailable', text, { cause: error, details: { bindDn: dn } });
}

/**
 * Connects, with TLS where it is asked for. Nobody is bound yet. Errors: 'Unavailable', which names address and cause; 'InvalidParameterValue' for what
 * could only go in the clear.
 */
export async function dialUnbound(access: LdapAccess): Promise<LdapSession> {
  const server = readLdapServer(access);
  let session: LdapSession | undefined;
  try {
    session = new LdapSession(await openSocket(access), access);
    if (access.startTls) await session.run((client) => client.startTLS(tlsOptions(access, server)));
    return session;
  } catch (error) {
    session?.end(new Error('it could not be secured'));
    throw unavailable(`${access.url}${access.startTls ? ' with StartTLS' : ''}`, error);
  }
}

/** Connects and binds as novactl. Errors: 'Unavailable'. */
export async function dialLdap(access: LdapAccess): Promise<LdapSession> {
  const { bindDn, bindPassword } = access;
  // A bind with no password succeeds on many servers, as nobody.
  if (bindDn === '' || bindPassword === '') {
    throw new CloudError(
      'Unavailable',
      'directory.bindDn and the password in directory.bindPasswordFile must be given',
    );
  }
  const session = await dialUnbound(access);
  try {
    await session.run((client) => client.bind(bindDn, bindPassword));
    return session;
  } catch (error) {
    session.end(new Error('the bind failed'));
    throw bindRefused(bindDn, error);
  }
}
