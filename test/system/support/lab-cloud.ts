import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openReadOnlyStore } from '../../../src/adapters/store/read-only-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import type { Replica } from '../../../src/ports/store.ts';
import { freePort } from '../../support/private-sshd.ts';
import type { CliResult } from '../../support/test-cloud.ts';
import { NOVACTL, run, TestCloud } from '../../support/test-cloud.ts';
import { CloudCommands } from './cloud-commands.ts';
import { HostLab, type NamespaceHost } from './namespace-host.ts';

export type { PlacedInstance } from './cloud-commands.ts';

/** How commands reach the cloud: over the daemon's socket, without a daemon, or signed over TLS by a context, as from another machine. */
export type Way = 'daemon' | 'embedded' | 'https';

export interface LabCloudOptions {
  readonly hosts?: number;
  readonly env?: Record<string, string>;
}

/** Below nothing that exists: another machine has neither the socket nor the state. */
const NOWHERE = '/nonexistent/novactl';

/** A cloud whose hosts are those of a lab, reached over SSH with the cloud's own key. */
export class LabCloud extends CloudCommands {
  readonly way: Way;
  readonly lab: HostLab;
  readonly cloud: TestCloud;
  #env: NodeJS.ProcessEnv;

  private constructor(way: Way, lab: HostLab, cloud: TestCloud) {
    super();
    this.way = way;
    this.lab = lab;
    this.cloud = cloud;
    this.#env = cloud.env;
  }

  get dir(): string {
    return this.cloud.dir;
  }

  get log(): string {
    return this.cloud.log;
  }

  /** The lab, the cloud, and its hosts added to it. */
  static async start(way: Way, options: LabCloudOptions = {}): Promise<LabCloud> {
    const lab = await HostLab.start(options.hosts ?? 2);
    const https: Record<string, string> =
      way === 'https' ? { NOVACTL_API_LISTEN: `127.0.0.1:${await freePort()}` } : {};
    // Guests reach it by way of their host's SSH connection, so that it needs no port of this machine.
    const own = { NOVACTL_HOST_DIR: '/var/lib/novactl-host', NOVACTL_METADATA_LISTEN: 'none' };
    const cloud = new TestCloud({ ...own, ...https, ...options.env });
    const system = new LabCloud(way, lab, cloud);
    try {
      if (way !== 'embedded') await cloud.start();
      if (way === 'https') await system.#addContext();
      for (const host of lab.hosts) await system.addHost(host);
    } catch (error) {
      await system.destroy();
      throw error;
    }
    return system;
  }

  /** Lets the cloud's key in, and adds the host with its fingerprint. */
  async addHost(host: NamespaceHost): Promise<void> {
    const { publicKey } = await this.json<{ publicKey: string }>('host', 'key');
    appendFileSync(host.onDisk('root/.ssh/authorized_keys'), `${publicKey}\n`);
    const { host: address, hostKey } = await host.login();
    await this.ok('host', 'add', `root@${host.name}`, '--address', address, '--fingerprint', hostKey.fingerprint);
  }

  /** One command to its end, never on a terminal, by the way of this cloud. */
  cli(...args: string[]): Promise<CliResult> {
    return run(NOVACTL, args, this.#env);
  }

  /** The same cloud, commands given with other environment. */
  with(extra: Record<string, string>): Pick<LabCloud, 'cli'> {
    return { cli: (...args) => run(NOVACTL, args, { ...this.#env, ...extra }) };
  }

  /** The records as they are on disk, whoever holds them: what a process that died at this moment leaves. */
  async withRecords<T>(look: (records: Replica) => T): Promise<T> {
    const { NOVACTL_STATE_DIR: dir = '' } = this.cloud.env;
    const store = await openReadOnlyStore({ dir, clock: new SystemClock(), logger: silentLogger });
    if (store === undefined) throw new Error(`there is no state in ${dir}`);
    try {
      return look(store);
    } finally {
      await store.close();
    }
  }

  /** The daemon, the lab, the folders. Instances end with their hosts. */
  async destroy(): Promise<void> {
    await this.cloud.kill9();
    await this.lab.destroy();
    await run('rm', ['-rf', this.cloud.dir]);
  }

  /** From here on commands are as on another machine, of a user with a home of their own. */
  async #addContext(): Promise<void> {
    const home = join(this.cloud.dir, 'elsewhere');
    mkdirSync(home, { mode: 0o700 });
    const entry = await this.cloud.ok('context', 'export');
    const env = {
      ...this.cloud.env,
      HOME: home,
      XDG_CONFIG_HOME: join(home, 'config'),
      NOVACTL_STATE_DIR: NOWHERE,
      NOVACTL_RUN_DIR: NOWHERE,
    };
    const added = await run(NOVACTL, ['context', 'add', 'lab', '--from', '-'], env, entry);
    if (added.code !== 0) throw new Error(`context add ended with ${added.code}: ${added.stderr}`);
    this.#env = { ...env, NOVACTL_CONTEXT: 'lab' };
  }
}
