import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostKeyOf, type HostKey } from '../../src/adapters/host-shell/ssh-host-key.ts';
import type { SshEndpoint } from '../../src/adapters/host-shell/ssh-target.ts';
import { generateSshKeyPair } from '../../src/base/openssh-key.ts';
import { watchForPem } from './canaries.ts';
import { until } from './until.ts';

const SSHD = '/usr/sbin/sshd';

/** Why no sshd of our own can be started here; undefined when it can. For ctx.skip(reason). */
export function sshdMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, to start an sshd that lets root in';
  return existsSync(SSHD) ? undefined : 'openssh-server is not installed';
}

export interface PrivateSshdOptions {
  /** More lines of sshd_config; they come first, so that they win. */
  readonly config?: readonly string[];
  /**
   * A user that exists for this sshd alone (its mount namespace has its own /etc/passwd), and sudoers lines about them.
   * Logins are theirs, not root's.
   */
  readonly user?: { readonly name: string; readonly sudoers: readonly string[] };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

const USER_ID = 54_321;

/** In a mount namespace of its own, with its own account files; then sshd. */
const WITH_ACCOUNTS = `
set -e
D=$1; shift
for F in passwd shadow group sudoers; do mount --bind "$D/etc/$F" "/etc/$F"; done
exec "$@"
`;

function writeAccounts(dir: string, user: { name: string; sudoers: readonly string[] }): void {
  const { name, sudoers } = user;
  const etc = join(dir, 'etc');
  mkdirSync(etc);
  const append = (file: string, line: string, mode: number): void =>
    writeFileSync(join(etc, file), `${readFileSync(join('/etc', file), 'utf8').trimEnd()}\n${line}\n`, { mode });
  append('passwd', `${name}:x:${USER_ID}:${USER_ID}::/:/bin/sh`, 0o644);
  append('shadow', `${name}:*:19000:0:99999:7:::`, 0o640);
  append('group', `${name}:x:${USER_ID}:`, 0o644);
  writeFileSync(join(etc, 'sudoers'), ['root ALL=(ALL:ALL) ALL', ...sudoers, ''].join('\n'), { mode: 0o440 });
}

function parentAndName(pid: number): { parent: number; name: string } | undefined {
  try {
    const [, name = '', parent = ''] = /^\d+ \((.*)\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? [];
    return { parent: Number(parent), name };
  } catch {
    return undefined;
  }
}

/** Debian's sshd on a loopback port, with its own configuration and keys, for one test file. */
export class PrivateSshd {
  readonly port: number;
  readonly dir: string;
  readonly endpoint: SshEndpoint;
  readonly #options: PrivateSshdOptions;
  #child: ChildProcess | undefined;
  #madeRun = false;

  private constructor(port: number, dir: string, options: PrivateSshdOptions) {
    this.port = port;
    this.dir = dir;
    this.#options = options;
    const user = generateSshKeyPair('ed25519', 'novactl test');
    watchForPem('SSH login key', user.privateKey);
    writeFileSync(join(dir, 'authorized_keys'), user.publicKey);
    const hostKey = this.newHostKey();
    const identity = { kind: 'key', pem: user.privateKey } as const;
    this.endpoint = { host: '127.0.0.1', port, user: options.user?.name ?? 'root', hostKey, identity };
  }

  static async start(options: PrivateSshdOptions = {}): Promise<PrivateSshd> {
    const dir = mkdtempSync(join(tmpdir(), 'nv-sshd-'));
    chmodSync(dir, 0o755);
    const sshd = new PrivateSshd(await freePort(), dir, options);
    if (options.user !== undefined) writeAccounts(dir, options.user);
    await sshd.startDaemon();
    return sshd;
  }

  /** Gives the host another key, from its next start on. */
  newHostKey(): HostKey {
    const host = generateSshKeyPair('ed25519', 'host');
    writeFileSync(join(this.dir, 'host_key'), host.privateKey, { mode: 0o600 });
    return hostKeyOf(Buffer.from(host.publicKey.split(' ')[1] ?? '', 'base64'));
  }

  async startDaemon(): Promise<void> {
    if (!existsSync('/run/sshd')) {
      mkdirSync('/run/sshd', { mode: 0o755 });
      this.#madeRun = true;
    }
    writeFileSync(join(this.dir, 'config'), this.#config().join('\n'));
    const argv = [SSHD, '-D', '-e', '-f', join(this.dir, 'config')];
    const wrapped =
      this.#options.user === undefined
        ? argv
        : ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', WITH_ACCOUNTS, 'sh', this.dir, ...argv];
    const [program = '', ...words] = wrapped;
    const child = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-2000)));
    this.#child = child;
    const listens = (): Promise<boolean> =>
      new Promise((resolve, reject) => {
        if (child.exitCode !== null) reject(new Error(`sshd ended: ${said}`));
        const socket = connect(this.port, '127.0.0.1');
        socket.once('error', () => resolve(false));
        socket.once('connect', () => {
          socket.destroy();
          resolve(true);
        });
      });
    await until(listens, { what: 'sshd listens' });
  }

  /** The listener and the process of each connection; not what they run. */
  pids(): number[] {
    const root = this.#child?.pid;
    if (root === undefined) return [];
    const all = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
    const facts = new Map(all.flatMap((pid) => [[pid, parentAndName(pid)] as const]));
    const found = [root];
    for (const parent of found) {
      for (const [pid, fact] of facts) if (fact?.parent === parent && fact.name === 'sshd') found.push(pid);
    }
    return found;
  }

  signal(name: NodeJS.Signals, which: 'all' | 'sessions' = 'all'): void {
    for (const pid of this.pids().slice(which === 'all' ? 0 : 1)) {
      try {
        process.kill(pid, name);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  /** Kills listener and sessions, and waits until nobody listens. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    this.signal('SIGKILL');
    await gone;
    this.#child = undefined;
  }

  async stop(): Promise<void> {
    this.signal('SIGCONT');
    await this.kill();
    rmSync(this.dir, { recursive: true, force: true });
    if (this.#madeRun) rmSync('/run/sshd', { recursive: true, force: true });
  }

  #config(): string[] {
    return [
      ...(this.#options.config ?? []),
      `Port ${this.port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${join(this.dir, 'host_key')}`,
      `AuthorizedKeysFile ${join(this.dir, 'authorized_keys')}`,
      `PidFile ${join(this.dir, 'pid')}`,
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'KbdInteractiveAuthentication no',
      'PermitRootLogin prohibit-password',
      // Else bash, seeing that sshd started it, reads the .bashrc of whoever runs the tests.
      'SetEnv SHLVL=1',
      'LogLevel ERROR',
      '',
    ];
  }
}

/** True when a program is there. */
export const hasProgram = (name: string): boolean =>
  spawnSync('sh', ['-c', 'command -v "$1"', 'sh', name]).status === 0;
