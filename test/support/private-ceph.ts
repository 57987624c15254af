import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { searchRemains, watchFor } from './canaries.ts';
import { EndpointBucket } from './endpoint-bucket.ts';
import { freePorts } from './free-ports.ts';
import { TestAuthority } from './test-authority.ts';
import { until } from './until.ts';

const run = promisify(execFile);

const PROGRAMS = ['ceph', 'ceph-authtool', 'ceph-mon', 'ceph-osd', 'monmaptool', 'radosgw', 'radosgw-admin'];
/** All of it is there after some 15 s on a free machine. */
const START_MS = 120_000;
const ADDRESS = '127.0.0.1';
const STORE_BYTES = 2 * 1024 ** 3;

/** Who may do what; the programs read their keys from one file. */
const CAPABILITIES: Readonly<Record<string, readonly string[]>> = {
  'mon.': ['--cap', 'mon', 'allow *'],
  'client.admin': ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *'],
  'osd.0': ['--cap', 'mon', 'allow profile osd', '--cap', 'osd', 'allow *'],
  'client.rgw': ['--cap', 'mon', 'allow rw', '--cap', 'osd', 'allow rwx'],
};

/** Why no Ceph of our own can be started here; undefined when it can. For ctx.skip(reason). */
export function cephMissing(): string | undefined {
  const missing = PROGRAMS.filter((name) => !existsSync(join('/usr/bin', name)));
  return missing.length === 0 ? undefined : `${missing.join(', ')}: not installed (ceph-mon, ceph-osd, radosgw)`;
}

interface Ports {
  readonly mon: number;
  readonly monLegacy: number;
  readonly tls: number;
  readonly plain: number;
}

/**
 * Ceph with its S3 server, the RADOS gateway: one monitor, one OSD that keeps all in memory, one gateway that listens with and without TLS. Everything on loopback and in a folder
 * of its own; it dies with this process, whatever ends that. Needs no root.
 */
export class PrivateCeph extends EndpointBucket {
  readonly region = 'us-east-1';
  readonly dir = mkdtempSync(join(tmpdir(), 'nv-ceph-'));
  readonly port: number;
  readonly caFile: string;
  readonly #ports: Ports;
  readonly #fsid = randomUUID();
  readonly #authority: TestAuthority;
  readonly #daemons: ChildProcess[] = [];
  #gateway: ChildProcess | undefined;

  private constructor([mon = 0, monLegacy = 0, tls = 0, plain = 0]: readonly number[]) {
    super(ADDRESS);
    this.#ports = { mon, monLegacy, tls, plain };
    this.port = tls;
    this.#authority = new TestAuthority(join(this.dir, 'tls'));
    this.caFile = this.#authority.caFile;
  }

  static async start(): Promise<PrivateCeph> {
    const ceph = new PrivateCeph(await freePorts(4));
    try {
      await ceph.#startCluster();
      await ceph.#makeUser();
      await ceph.startAgain();
      await ceph.makeBucket();
    } catch (error) {
      await ceph.destroy();
      throw error;
    }
    return ceph;
  }

  /** The same gateway without TLS. */
  get plainUrl(): string {
    return `http://${ADDRESS}:${this.#ports.plain}`;
  }

  /** What the gateway and `ceph` call themselves: `16.2.15`. */
  async version(): Promise<string> {
    const { stdout } = await run('radosgw', ['--version']);
    return /^ceph version (\S+)/.exec(stdout)?.[1] ?? stdout;
  }

  async startAgain(): Promise<void> {
    const gateway = this.#spawn('radosgw', ['-f', '-n', 'client.rgw']);
    this.#gateway = gateway;
    const answers = (): Promise<boolean> =>
      new Promise((resolve) => {
        const asked = get(this.url, { ca: this.ca }, (answer) => {
          answer.resume();
          resolve(answer.statusCode === 200);
        });
        asked.on('error', () => resolve(false));
      });
    await this.#untilUp(gateway, 'radosgw', answers);
  }

  /** The gateway alone: the monitor and the OSD go on. */
  async kill9(): Promise<void> {
    await end(this.#gateway);
    this.#gateway = undefined;
  }

  async destroy(): Promise<void> {
    await this.kill9();
    for (const daemon of this.#daemons.reverse()) await end(daemon);
    searchRemains(this.dir);
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }

  /** A user and its key, which the gateway makes itself, so that no argument list has it. */
  async addUser(uid: string): Promise<Pick<EndpointBucket, 'accessKeyId' | 'secretAccessKey'>> {
    const text = await this.admin('user', 'create', `--uid=${uid}`, `--display-name=${uid}`);
    const [key] = (JSON.parse(text) as { keys: { access_key: string; secret_key: string }[] }).keys;
    if (key === undefined) throw new Error(`Ceph made no key for ${uid}`);
    return {
      accessKeyId: key.access_key,
      secretAccessKey: watchFor('secret access key at Ceph', key.secret_key),
    };
  }

  /** What radosgw-admin prints. */
  admin(...words: string[]): Promise<string> {
    return this.#run('radosgw-admin', ...words);
  }

  async #startCluster(): Promise<void> {
    for (const name of ['mon', 'osd', 'rgw', 'run']) mkdirSync(join(this.dir, name));
    writeFileSync(this.#conf, `${this.#config().join('\n')}\n`);
    await this.#makeKeys();
    const monmap = join(this.dir, 'monmap');
    await this.#run('monmaptool', '--create', '--fsid', this.#fsid, '--addv', 'a', this.#monitor, monmap);
    await this.#run('ceph-mon', '--mkfs', '-i', 'a', '--monmap', monmap, '--keyring', this.#keyring);
    const monitor = this.#spawn('ceph-mon', ['-f', '-i', 'a']);
    this.#daemons.push(monitor);
    const hasQuorum = async (): Promise<boolean> => (await this.#ask('quorum_status')).includes('"quorum":[0]');
    await this.#untilUp(monitor, 'ceph-mon', hasQuorum);
    const osd = randomUUID();
    await this.#run('ceph', 'osd', 'new', osd);
    await this.#run('ceph-osd', '--mkfs', '-i', '0', '--osd-uuid', osd);
    const store = this.#spawn('ceph-osd', ['-f', '-i', '0']);
    this.#daemons.push(store);
    const isUp = async (): Promise<boolean> => (await this.#ask('osd', 'stat')).includes('"num_up_osds":1');
    await this.#untilUp(store, 'ceph-osd', isUp);
  }

  /** The keys that the parts of the cluster know each other by. */
  async #makeKeys(): Promise<void> {
    for (const [name, capabilities] of Object.entries(CAPABILITIES)) {
      const create = existsSync(this.#keyring) ? [] : ['--create-keyring'];
      await this.#run('ceph-authtool', this.#keyring, ...create, '--gen-key', '-n', name, ...capabilities);
    }
  }

  async #makeUser(): Promise<void> {
    const { accessKeyId, secretAccessKey } = await this.addUser('novactl');
    this.accessKeyId = accessKeyId;
    this.secretAccessKey = secretAccessKey;
  }

  get #conf(): string {
    return join(this.dir, 'ceph.conf');
  }

  get #keyring(): string {
    return join(this.dir, 'keyring');
  }

  get #monitor(): string {
    return `[v2:${ADDRESS}:${this.#ports.mon},v1:${ADDRESS}:${this.#ports.monLegacy}]`;
  }

  get #env(): NodeJS.ProcessEnv {
    return { ...process.env, CEPH_CONF: this.#conf };
  }

  async #run(program: string, ...args: string[]): Promise<string> {
    const { stdout } = await run(program, args, { env: this.#env, timeout: START_MS });
    return stdout;
  }

  /** What the monitor answers, as JSON; nothing while it does not. */
  #ask(...words: string[]): Promise<string> {
    const asked = this.#run('ceph', '--connect-timeout', '5', ...words, '--format', 'json');
    return asked.catch(() => '');
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    const log = openSync(join(this.dir, `${program}.out`), 'a');
    const argv = ['--pdeathsig', 'KILL', program, ...args];
    const child = spawn('setpriv', argv, { env: this.#env, stdio: ['ignore', log, log] });
    closeSync(log);
    return child;
  }

  async #untilUp(child: ChildProcess, program: string, isUp: () => Promise<boolean>): Promise<void> {
    await until(
      async () => {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`${program} ended: ${readFileSync(join(this.dir, `${program}.out`), 'utf8').slice(-2000)}`);
        return isUp();
      },
      { what: `${program} answers`, timeoutMs: START_MS, everyMs: 100 },
    );
  }

  #config(): string[] {
    const { certFile, keyFile } = this.#authority.issue(ADDRESS, [ADDRESS, this.domain, `*.${this.domain}`]);
    const inDir = (name: string): string => join(this.dir, name);
    return [
      '[global]',
      `fsid = ${this.#fsid}`,
      `mon host = ${this.#monitor}`,
      'mon initial members = a',
      `keyring = ${this.#keyring}`,
      `public addr = ${ADDRESS}`,
      `cluster addr = ${ADDRESS}`,
      `run dir = ${inDir('run')}`,
      `crash dir = ${inDir('run')}`,
      `admin socket = ${inDir('run')}/$name.$pid.asok`,
      `log file = ${inDir('$name.log')}`,
      // One OSD has the only copy of everything.
      'osd pool default size = 1',
      'mon allow pool size one = true',
      'osd crush chooseleaf type = 0',
      'osd pool default pg num = 4',
      'osd pool default pgp num = 4',
      'osd pool default pg autoscale mode = off',
      'rgw rados pool pg num min = 4',
      'osd objectstore = memstore',
      `memstore device bytes = ${STORE_BYTES}`,
      '[mon.a]',
      `mon data = ${inDir('mon')}`,
      '[osd.0]',
      `osd data = ${inDir('osd')}`,
      '[client.rgw]',
      `rgw data = ${inDir('rgw')}`,
      `rgw dns name = ${this.domain}`,
      `rgw frontends = beast endpoint=${ADDRESS}:${this.#ports.plain} ssl_endpoint=${ADDRESS}:${this.#ports.tls} ssl_certificate=${certFile} ssl_private_key=${keyFile}`,
    ];
  }
}

async function end(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}
