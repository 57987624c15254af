import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server as NetServer, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';
import { generateSshKeyPair, type NewKeyPair } from '../../src/base/openssh-key.ts';
import { hostKeyOf, type HostKey } from '../../src/adapters/host-shell/ssh-host-key.ts';
import type { SshEndpoint } from '../../src/adapters/host-shell/ssh-target.ts';

/** What a test may ask of the server. */
export interface Ssh2ServerOptions {
  /** The key that may log in; default a new one. */
  readonly user?: NewKeyPair;
  /** Sessions at a time on a connection, as sshd's MaxSessions; more are refused. */
  readonly maxSessions?: number;
  /** What runs when a client sent a command, as login shells of their own and forced commands decide. */
  readonly loginShell?: (command: string) => string;
  /** Refuses keys, and says that these methods may go on. */
  readonly methodsInstead?: readonly string[];
}

/** An SSH server in this process that does what sshd does: runs commands by sh in sessions of their own, and forwards. */
export interface Ssh2Server {
  readonly port: number;
  readonly hostKey: HostKey;
  /** What a client needs to log in. */
  readonly endpoint: SshEndpoint;
  readonly userPem: string;
  /** Logins that were ever accepted. */
  readonly logins: () => number;
  /** Cuts every connection, without a goodbye. */
  cut(): void;
  close(): Promise<void>;
}

function join(a: Duplex, b: Duplex): void {
  a.on('error', () => b.destroy());
  b.on('error', () => a.destroy());
  a.pipe(b).pipe(a);
}

function runIn(channel: ServerChannel, command: string): void {
  const child = spawn('/bin/sh', ['-c', command], { cwd: '/', detached: true, stdio: 'pipe' });
  channel.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  // sshd closes the pipes of a session with its channel; the channel of a lost connection ends and closes, too.
  channel.on('data', (chunk: Buffer) => {
    if (!child.stdin.write(chunk)) {
      channel.pause();
      child.stdin.once('drain', () => channel.resume());
    }
  });
  channel.on('end', () => child.stdin.end());
  channel.on('close', () => {
    for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy();
  });
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.on('exit', (code, signal) => {
    if (code === null) channel.exit((signal ?? 'SIGKILL').slice(3));
    else channel.exit(code);
  });
  child.on('close', () => channel.end());
}

/** One client after its login. */
class ServedConnection {
  readonly #connection: Connection;
  readonly #listeners = new Map<number, NetServer>();
  #sessions = 0;

  constructor(connection: Connection, options: Ssh2ServerOptions) {
    this.#connection = connection;
    connection.on('session', (accept, reject) => {
      if (this.#sessions >= (options.maxSessions ?? 1000)) {
        reject();
        return;
      }
      this.#sessions += 1;
      accept().on('exec', (acceptExec, _reject, { command }) => {
        const channel = acceptExec();
        channel.once('close', () => (this.#sessions -= 1));
        runIn(channel, options.loginShell?.(command) ?? command);
      });
    });
    connection.on('openssh.streamlocal', (accept, reject, { socketPath }) =>
      this.#dial(connect(socketPath), accept, reject),
    );
    connection.on('tcpip', (accept, reject, { destIP, destPort }) =>
      this.#dial(connect(destPort, destIP), accept, reject),
    );
    connection.on('request', (accept, reject, name, info) => {
      const { bindPort } = info as { bindPort: number };
      if (name === 'tcpip-forward')
        this.#listen(
          bindPort,
          () => accept?.(),
          () => reject?.(),
        );
      else if (name === 'cancel-tcpip-forward') {
        this.#listeners.get(bindPort)?.close();
        this.#listeners.delete(bindPort);
        accept?.();
      } else reject?.();
    });
  }

  end(): void {
    for (const server of this.#listeners.values()) server.close();
  }

  #dial(socket: Socket, accept: () => ServerChannel, reject: () => void): void {
    socket.once('error', () => reject());
    socket.once('connect', () => join(accept(), socket));
  }

  #listen(port: number, accept: () => void, reject: () => void): void {
    const server = createServer((socket) => {
      const from = socket.remoteAddress ?? '';
      this.#connection.forwardOut('127.0.0.1', port, from, socket.remotePort ?? 0, (error, channel) => {
        if (error) socket.destroy();
        else join(channel, socket);
      });
    });
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      this.#listeners.set(port, server);
      accept();
    });
  }
}

export async function startSsh2Server(options: Ssh2ServerOptions = {}): Promise<Ssh2Server> {
  const host = generateSshKeyPair('ed25519', 'host');
  const user = options.user ?? generateSshKeyPair('ed25519', 'user');
  const allowed = Buffer.from(user.publicKey.split(' ')[1] ?? '', 'base64');
  const sockets = new Set<Socket>();
  let logins = 0;
  const server = new ssh2.Server({ hostKeys: [host.privateKey] }, (connection) => {
    connection.on('error', () => undefined);
    connection.on('authentication', (context) => {
      if (options.methodsInstead !== undefined) context.reject([...options.methodsInstead] as never);
      else if (context.method === 'publickey' && context.key.data.equals(allowed)) context.accept();
      else context.reject(['publickey']);
    });
    connection.on('ready', () => {
      logins += 1;
      const served = new ServedConnection(connection, options);
      connection.on('close', () => served.end());
    });
  });
  // The sockets themselves: a cut is not a goodbye.
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.once('close', () => sockets.delete(socket));
    server.injectSocket(socket);
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as AddressInfo;
  const hostKey = hostKeyOf(Buffer.from(host.publicKey.split(' ')[1] ?? '', 'base64'));
  const pem = user.privateKey;
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port,
    hostKey,
    endpoint: { host: '127.0.0.1', port, user: 'tester', hostKey, identity: { kind: 'key', pem } },
    userPem: pem,
    logins: () => logins,
    cut,
    close: async () => {
      cut();
      listener.close();
      await once(listener, 'close');
    },
  };
}
