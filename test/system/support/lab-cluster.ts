import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../../../src/base/clock.ts';
import { SocketClient } from '../../../src/client/socket-client.ts';
import type { Json } from '../../../src/base/json.ts';
import type { Entry, Replica } from '../../../src/ports/store.ts';
import { searchRemains } from '../../support/canaries.ts';
import { EtcdCluster } from '../../support/etcd-cluster.ts';
import { etcdMissing } from '../../support/etcd-node.ts';
import { freePorts } from '../../support/free-ports.ts';
import { PrivateRabbit, rabbitMissing } from '../../support/private-rabbit.ts';
import { type CliResult, NOVACTL, run } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';
import { CloudCommands } from './cloud-commands.ts';
import { ClusterLines } from './cluster-lines.ts';
import { ClusterProcess } from './cluster-process.ts';
import { HostLab, type NamespaceHost, namespaceHostsMissing } from './namespace-host.ts';

/** Why no cluster can be started here; undefined when it can. */
export const clusterMissing = (): string | undefined => namespaceHostsMissing() ?? etcdMissing() ?? rabbitMissing();

const PREFIX = 'novactl/';
/** Beside them is what transactions are known again by. */
const RECORDS = `${PREFIX}d/`;
/** Each process of the cloud, with its roles. */
const PROCESSES: readonly (readonly [name: string, roles: string])[] = [
  ['c1', 'controller'],
  ['c2', 'controller'],
  ['c3', 'controller'],
  ['a1', 'api'],
  ['a2', 'api'],
  ['w1', 'worker'],
  ['w2', 'worker'],
];

interface EtcdAnswer {
  readonly kvs?: readonly { readonly key: string; readonly value: string; readonly mod_revision: number }[];
}

const fromBase64 = (text: string): string => Buffer.from(text, 'base64').toString('utf8');

/** What etcd itself holds, without any copy of it. */
function recordsIn(answer: EtcdAnswer): Pick<Replica, 'get' | 'range'> {
  const entries = (answer.kvs ?? []).map(({ key, value, mod_revision }): Entry => ({
    key: fromBase64(key).slice(RECORDS.length),
    value: JSON.parse(fromBase64(value)) as Json,
    rev: mod_revision,
  }));
  const byKey = new Map(entries.map((entry) => [entry.key, entry]));
  return {
    get: <T>(key: string) => byKey.get(key) as Entry<T> | undefined,
    range: <T>(prefix: string) => entries.filter(({ key }) => key.startsWith(prefix)) as unknown as Entry<T>[],
  };
}

/**
 * A cloud of two apis, three controllers and two workers, joined by three etcd nodes and a RabbitMQ of its own, all over TLS, with two hosts of a lab.
 * Commands go to the socket of one of the apis.
 */
export class LabCluster extends CloudCommands {
  readonly dir: string;
  readonly httpsUrl: string;
  readonly #processes = new Map<string, ClusterProcess>();
  /** Where they were asked for: by process. */
  readonly #lines = new Map<string, ClusterLines>();
  #lab: HostLab | undefined;
  #etcd: EtcdCluster | undefined;
  #rabbit: PrivateRabbit | undefined;

  private constructor(httpsPort: number) {
    super();
    this.dir = mkdtempSync('/var/lib/novactl-test-');
    chmodSync(this.dir, 0o711);
    this.httpsUrl = `https://127.0.0.1:${httpsPort}`;
  }

  /** All of it, ready, with its hosts added. Nothing is left behind when that fails. With `lines` each process has proxies before etcd and RabbitMQ. */
  static async start(env: Record<string, string> = {}, lines = false): Promise<LabCluster> {
    const [httpsPort = 0, ...metricsPorts] = await freePorts(PROCESSES.length + 1);
    const cluster = new LabCluster(httpsPort);
    try {
      await cluster.#startOthers();
      if (lines) await cluster.#openLines();
      cluster.#makeProcesses(metricsPorts, env);
      await cluster.#startProcesses();
      for (const host of cluster.lab.hosts) await cluster.addHost(host);
    } catch (error) {
      await cluster.destroy();
      throw error;
    }
    return cluster;
  }

  get lab(): HostLab {
    return present(this.#lab);
  }

  get etcd(): EtcdCluster {
    return present(this.#etcd);
  }

  get rabbit(): PrivateRabbit {
    return present(this.#rabbit);
  }

  get processes(): readonly ClusterProcess[] {
    return [...this.#processes.values()];
  }

  get log(): string {
    return this.processes.map(({ name, log }) => `== ${name}\n${log.slice(-3000)}`).join('\n');
  }

  /** a1, a2, c1, c2, c3, w1 or w2. */
  process(name: string): ClusterProcess {
    return present(this.#processes.get(name));
  }

  /** The lines of that process, when the cluster was started with them. */
  lines(name: string): ClusterLines {
    return present(this.#lines.get(name));
  }

  cli(...args: string[]): Promise<CliResult> {
    return this.via('a1').cli(...args);
  }

  /** Commands on the machine of that api. */
  via(name: string): { cli(...args: string[]): Promise<CliResult> } {
    const { env } = this.process(name);
    return { cli: (...args) => run(NOVACTL, args, env) };
  }

  /** The socket of that api, without a process a call. */
  client(name: string): SocketClient {
    return new SocketClient({ socketPath: this.process(name).socketPath, clock: new SystemClock() });
  }

  async withRecords<T>(look: (records: Pick<Replica, 'get' | 'range'>) => T): Promise<T> {
    const text = await this.etcd.etcdctl('get', RECORDS, '--prefix', '--write-out=json');
    return look(recordsIn(JSON.parse(text) as EtcdAnswer));
  }

  /** Lets the cloud's key in, and adds the host with its fingerprint. */
  async addHost(host: NamespaceHost): Promise<void> {
    const { publicKey } = await this.json<{ publicKey: string }>('host', 'key');
    appendFileSync(host.onDisk('root/.ssh/authorized_keys'), `${publicKey}\n`);
    const { host: address, hostKey } = await host.login();
    await this.ok('host', 'add', `root@${host.name}`, '--address', address, '--fingerprint', hostKey.fingerprint);
  }

  /** Everything that start() began, whatever of it stands. Instances end with their hosts. */
  async destroy(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.kill()));
    await Promise.all([...this.#lines.values()].map((lines) => lines.close()));
    await Promise.all([this.#rabbit?.destroy(), this.#etcd?.destroy(), this.#lab?.destroy()]);
    searchRemains(this.dir);
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** What begins is noted as soon as it is there, so that destroy() finds it when another fails. */
  async #startOthers(): Promise<void> {
    const started = await Promise.allSettled([
      HostLab.start(2).then((lab) => (this.#lab = lab)),
      EtcdCluster.start({ tls: true }).then((etcd) => (this.#etcd = etcd)),
      PrivateRabbit.start().then((rabbit) => (this.#rabbit = rabbit)),
    ]);
    const failed = started.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  async #openLines(): Promise<void> {
    for (const [name] of PROCESSES) this.#lines.set(name, await ClusterLines.open(this.etcd, this.rabbit));
  }

  #makeProcesses(metricsPorts: readonly number[], env: Record<string, string>): void {
    const common = { ...this.#commonEnv(), ...env };
    for (const [index, [name, roles]] of PROCESSES.entries()) {
      const own = name === 'a2' ? { NOVACTL_API_LISTEN: this.httpsUrl.replace('https://', '') } : {};
      const processEnv = { ...common, ...own, ...this.#lines.get(name)?.env };
      const options = { name, roles, dir: this.dir, metricsPort: metricsPorts[index] ?? 0, env: processEnv };
      this.#processes.set(name, new ClusterProcess(options));
    }
  }

  /** The first controller makes the cloud and its secrets; on several machines these are copied before the others start. */
  async #startProcesses(): Promise<void> {
    await this.process('c1').start();
    for (const process of this.processes) if (!process.alive) process.spawn();
    await Promise.all(this.processes.map((process) => process.ready()));
    for (const name of ['a1', 'a2']) await this.#knowsAll(name);
  }

  /** A process is heard of a moment after it is ready. */
  async #knowsAll(name: string): Promise<void> {
    const client = this.client(name);
    await until(
      async () => {
        const { services } = await client.call('DescribeServices', {});
        return services.filter(({ state }) => state === 'up').length === PROCESSES.length;
      },
      { what: `${name} has heard of every process`, timeoutMs: 30_000, everyMs: 100 },
    );
  }

  #commonEnv(): NodeJS.ProcessEnv {
    const { rabbit, etcd } = this;
    const passwordFile = join(this.dir, 'rabbit-password');
    writeFileSync(passwordFile, `${rabbit.password}\n`, { mode: 0o600 });
    const [secrets, blobs] = [join(this.dir, 'secrets'), join(this.dir, 'blobs')];
    for (const folder of [secrets, blobs]) mkdirSync(folder, { mode: 0o700 });
    return {
      ...process.env,
      HOME: this.dir,
      XDG_CONFIG_HOME: join(this.dir, 'config'),
      NO_COLOR: '1',
      NOVACTL_SECRETS_DIR: secrets,
      NOVACTL_BLOBS_DIR: blobs,
      NOVACTL_HOST_DIR: '/var/lib/novactl-host',
      NOVACTL_METADATA_LISTEN: 'none',
      NOVACTL_NETWORK_FIXED_RANGE: '10.216.0.0/13',
      NOVACTL_INSTANCES_STOP_TIMEOUT_MS: '5000',
      NOVACTL_STORE_ENGINE: 'etcd',
      NOVACTL_STORE_ETCD_PREFIX: PREFIX,
      NOVACTL_STORE_ETCD_ENDPOINTS: etcd.endpoints.join(','),
      NOVACTL_STORE_ETCD_CA_FILE: present(etcd.authority).caFile,
      NOVACTL_STORE_ETCD_CERT_FILE: present(etcd.client).certFile,
      NOVACTL_STORE_ETCD_KEY_FILE: present(etcd.client).keyFile,
      NOVACTL_BUS_ENGINE: 'rabbitmq',
      NOVACTL_BUS_RABBITMQ_ENDPOINTS: rabbit.tlsUrl,
      NOVACTL_BUS_RABBITMQ_VHOST: rabbit.vhost,
      NOVACTL_BUS_RABBITMQ_USER: rabbit.user,
      NOVACTL_BUS_RABBITMQ_PASSWORD_FILE: passwordFile,
      NOVACTL_BUS_RABBITMQ_CA_FILE: rabbit.authority.caFile,
    };
  }
}

function present<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('the cluster has not been started');
  return value;
}
