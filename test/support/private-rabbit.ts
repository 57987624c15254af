import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { canary, searchRemains } from './canaries.ts';
import { freePorts } from './free-ports.ts';
import { TestAuthority, type TestCertificate } from './test-authority.ts';
import { until } from './until.ts';

const run = promisify(execFile);

/** Debian's programs themselves: those in /usr/sbin change to the user rabbitmq and to the folders of the service. */
const BIN = '/usr/lib/rabbitmq/bin';
const DEFINITIONS = new URL('../../packaging/rabbitmq/definitions.json', import.meta.url);

/** Booting takes some 7 s on a free machine, and several times that on a busy one. */
const START_MS = 120_000;
const CONTROL_MS = 90_000;

/** Why no RabbitMQ of our own can be started here; undefined when it can. For ctx.skip(reason). */
export function rabbitMissing(): string | undefined {
  return existsSync(join(BIN, 'rabbitmq-server')) ? undefined : 'rabbitmq-server is not installed';
}

interface Permissions {
  readonly configure: string;
  readonly write: string;
  readonly read: string;
}

interface Definitions {
  users: { name: string; password_hash: string; hashing_algorithm: string; tags: string }[];
  permissions: (Permissions & { user: string; vhost: string })[];
}

export interface PrivateRabbitOptions {
  /** More users of the virtual host, with the password of `novactl`. */
  readonly users?: Readonly<Record<string, Permissions>>;
}

/** As RabbitMQ keeps them: 4 bytes of salt, then SHA-256 of salt and password, in base64. */
function passwordHash(password: string): string {
  const salt = randomBytes(4);
  const hash = createHash('sha256').update(salt).update(password, 'utf8').digest();
  return Buffer.concat([salt, hash]).toString('base64');
}

/**
 * A RabbitMQ with one node for one test file, on free loopback ports with data in a folder of its own, set up by the definitions that
 * are packaged. Plain and TLS at once; over TLS a client may come with a certificate of `authority` whose common name is its user.
 */
export class PrivateRabbit {
  readonly vhost = 'novactl';
  readonly user = 'novactl';
  readonly password = canary('RabbitMQ password');
  readonly dir = mkdtempSync(join(tmpdir(), 'nv-rabbit-'));
  readonly authority: TestAuthority;
  readonly port: number;
  readonly tlsPort: number;
  readonly #server: TestCertificate;
  readonly #env: NodeJS.ProcessEnv;
  readonly #onExit = (): void => this.#killAll();
  #epmd: ChildProcess | undefined;
  #broker: ChildProcess | undefined;

  private constructor(ports: readonly number[], options: PrivateRabbitOptions) {
    const [port = 0, tlsPort = 0, distPort = 0, epmdPort = 0] = ports;
    this.port = port;
    this.tlsPort = tlsPort;
    this.authority = new TestAuthority(join(this.dir, 'tls'));
    this.#server = this.authority.issue('broker', ['localhost']);
    this.#env = this.#environment(distPort, epmdPort);
    this.#writeFiles(options);
    process.once('exit', this.#onExit);
  }

  static async start(options: PrivateRabbitOptions = {}): Promise<PrivateRabbit> {
    const rabbit = new PrivateRabbit(await freePorts(4), options);
    try {
      await rabbit.startBroker();
    } catch (error) {
      await rabbit.destroy();
      throw error;
    }
    return rabbit;
  }

  get url(): string {
    return `amqp://127.0.0.1:${this.port}`;
  }

  /** By name: the certificate is for localhost. */
  get tlsUrl(): string {
    return `amqps://localhost:${this.tlsPort}`;
  }

  /** Boots the broker on its data; resolves when it takes connections. */
  async startBroker(): Promise<void> {
    this.#epmd ??= this.#startEpmd();
    const log = openSync(join(this.dir, 'startup.log'), 'a');
    // Of a process group of its own, as the script waits beside the virtual machine that it starts.
    const broker = spawn(join(BIN, 'rabbitmq-server'), {
      ...{ env: this.#env, cwd: this.dir, detached: true, stdio: ['ignore', log, log] },
    });
    closeSync(log);
    this.#broker = broker;
    const ended = (): boolean => broker.exitCode !== null || broker.signalCode !== null;
    await until(
      async () => {
        if (ended()) throw new Error(`rabbitmq-server ended: ${this.#startupLog()}`);
        return (await accepts(this.port)) && (await accepts(this.tlsPort));
      },
      { what: `RabbitMQ listens on ${this.port} and ${this.tlsPort}`, timeoutMs: START_MS, everyMs: 50 },
    );
  }

  /** SIGKILL to the broker; resolves when it is gone. Its data stays. */
  async killBroker(): Promise<void> {
    const broker = this.#broker;
    this.#broker = undefined;
    if (broker?.pid === undefined) return;
    const group = broker.pid;
    signalGroup(group);
    // Its sockets may outlive its first thread by a moment.
    const gone = async (): Promise<boolean> => !signalGroup(group) && !(await accepts(this.port));
    await until(gone, { what: 'the broker is gone', timeoutMs: 20_000 });
  }

  /** SIGSTOP or SIGCONT to all of the broker: it keeps its connections and says nothing. */
  signalBroker(name: 'SIGSTOP' | 'SIGCONT'): void {
    if (this.#broker?.pid !== undefined) signalGroup(this.#broker.pid, name);
  }

  /** Stops the broker inside its virtual machine in an orderly way: connections are closed, listeners go. */
  async stopApp(): Promise<void> {
    await this.ctl('stop_app');
  }

  async startApp(): Promise<void> {
    await this.ctl('start_app');
  }

  /** The broker closes every connection, each with code 320. */
  async closeAllConnections(reason = 'test'): Promise<void> {
    await this.ctl('close_all_connections', '--vhost', this.vhost, reason);
  }

  /** Messages by queue: those that wait and those that are being handled. */
  async queueDepths(): Promise<Record<string, number>> {
    const text = await this.ctl('list_queues', '-p', this.vhost, '--no-table-headers', 'name', 'messages');
    const rows = text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split('\t'));
    return Object.fromEntries(rows.map(([name = '', count]) => [name, Number(count)]));
  }

  /** What rabbitmqctl prints. */
  async ctl(...words: readonly string[]): Promise<string> {
    const argv = ['--quiet', ...words];
    const { stdout } = await run(join(BIN, 'rabbitmqctl'), argv, { env: this.#env, timeout: CONTROL_MS });
    return stdout;
  }

  /**
   * Writes the names of the quorum queues to disk, which RabbitMQ does 3 s after one was made. Killed before, it forgets the queue and all
   * that was confirmed to it (rabbitmq-server issue 15725).
   */
  async writeNames(): Promise<void> {
    await this.ctl('eval', 'ok = dets:sync(ra_directory_reverse).');
  }

  /** The names as they are on disk. Restored while the broker is down, it starts as if killed before it had written those that came later. */
  keptNames(): { restore(): void } {
    const [names = ''] = globSync(join(this.dir, 'data', '*', 'quorum', '*', 'names.dets'));
    const kept = readFileSync(names);
    return { restore: () => writeFileSync(names, kept) };
  }

  /** Kills everything that was started here and removes the folder. */
  async destroy(): Promise<void> {
    process.off('exit', this.#onExit);
    await this.killBroker();
    this.#killAll();
    searchRemains(this.dir);
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }

  #killAll(): void {
    if (this.#broker?.pid !== undefined) signalGroup(this.#broker.pid);
    this.#epmd?.kill('SIGKILL');
    this.#epmd = undefined;
  }

  /** Of its own and in the foreground: else RabbitMQ leaves one behind. */
  #startEpmd(): ChildProcess {
    const port = this.#env.ERL_EPMD_PORT ?? '';
    return spawn('epmd', ['-port', port, '-address', '127.0.0.1'], { env: this.#env, stdio: 'ignore' });
  }

  #startupLog(): string {
    return readFileSync(join(this.dir, 'startup.log'), 'utf8').slice(-3000);
  }

  #environment(distPort: number, epmdPort: number): NodeJS.ProcessEnv {
    const inDir = (name: string): string => join(this.dir, name);
    return {
      PATH: process.env.PATH,
      LANG: 'C.UTF-8',
      HOME: inDir('home'),
      ERL_EPMD_PORT: String(epmdPort),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_NODENAME: `nv${this.port}@localhost`,
      RABBITMQ_DIST_PORT: String(distPort),
      RABBITMQ_CONF_ENV_FILE: '/dev/null',
      RABBITMQ_CONFIG_FILE: inDir('rabbitmq.conf'),
      RABBITMQ_ADVANCED_CONFIG_FILE: inDir('advanced.config'),
      RABBITMQ_ENABLED_PLUGINS_FILE: inDir('enabled_plugins'),
      RABBITMQ_MNESIA_BASE: inDir('data'),
      RABBITMQ_LOG_BASE: inDir('log'),
      RABBITMQ_SCHEMA_DIR: inDir('schema'),
      RABBITMQ_GENERATED_CONFIG_DIR: inDir('generated'),
      RABBITMQ_PID_FILE: inDir('pid'),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 2:2',
    };
  }

  #writeFiles(options: PrivateRabbitOptions): void {
    const write = (name: string, text: string, mode = 0o600): void =>
      writeFileSync(join(this.dir, name), text, { mode });
    for (const name of ['home', 'data', 'log', 'schema', 'generated']) mkdirSync(join(this.dir, name));
    write('home/.erlang.cookie', randomBytes(12).toString('hex'), 0o400);
    // Without it nobody could log in with a certificate.
    write('enabled_plugins', '[rabbitmq_auth_mechanism_ssl].\n');
    write('definitions.json', JSON.stringify(this.#definitions(options)));
    write('rabbitmq.conf', `${this.#config().join('\n')}\n`);
  }

  #definitions(options: PrivateRabbitOptions): Definitions {
    const definitions = JSON.parse(readFileSync(DEFINITIONS, 'utf8')) as Definitions;
    const password_hash = passwordHash(this.password);
    for (const user of definitions.users) user.password_hash = password_hash;
    const [first] = definitions.users;
    for (const [name, permissions] of Object.entries(options.users ?? {})) {
      if (first !== undefined) definitions.users.push({ ...first, name });
      definitions.permissions.push({ user: name, vhost: this.vhost, ...permissions });
    }
    return definitions;
  }

  #config(): string[] {
    return [
      `listeners.tcp.1 = 127.0.0.1:${this.port}`,
      `listeners.ssl.1 = 127.0.0.1:${this.tlsPort}`,
      `ssl_options.cacertfile = ${this.authority.caFile}`,
      `ssl_options.certfile = ${this.#server.certFile}`,
      `ssl_options.keyfile = ${this.#server.keyFile}`,
      'ssl_options.verify = verify_peer',
      'ssl_options.fail_if_no_peer_cert = false',
      'ssl_cert_login_from = common_name',
      'auth_mechanisms.1 = PLAIN',
      'auth_mechanisms.2 = EXTERNAL',
      `load_definitions = ${join(this.dir, 'definitions.json')}`,
      'disk_free_limit.absolute = 50MB',
      // The default takes 512 MiB of disk for the log of an almost empty broker.
      'raft.wal_max_size_bytes = 16777216',
      'log.console = false',
    ];
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}

/** False when nobody is left to get it. A zombie that waits for its parent does not count. */
function signalGroup(group: number, name: NodeJS.Signals = 'SIGKILL'): boolean {
  try {
    process.kill(-group, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
    throw error;
  }
  return readdirSync('/proc').some((pid) => /^\d+$/.test(pid) && livesIn(group, pid));
}

function livesIn(group: number, pid: string): boolean {
  try {
    const [, state = '', , of] = /^\d+ \(.*\) (\S) (\d+) (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? [];
    return Number(of) === group && !'ZX'.includes(state);
  } catch {
    return false;
  }
}
