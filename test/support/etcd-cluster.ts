import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EtcdNode, etcdEnv, peerUrl } from './etcd-node.ts';
import { freePorts } from './free-ports.ts';
import { TestAuthority, type TestCertificate } from './test-authority.ts';
import { until } from './until.ts';

const START_MS = 45_000;
/** All records of a long run. */
const MOST_PRINTED_BYTES = 256 * 1024 * 1024;

export interface EtcdClusterOptions {
  /** Default 3. */
  readonly nodes?: number;
  /** Clients speak TLS and show a certificate. */
  readonly tls?: boolean;
  /** etcd raises the alarm NOSPACE when its file is larger. */
  readonly quotaBytes?: number;
  /** More flags of etcd, such as --max-request-bytes. */
  readonly flags?: readonly string[];
}

/** What a client needs to know, as `createGrpcEtcd` takes it. */
export interface EtcdAccess {
  readonly endpoints: readonly string[];
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** Real etcd nodes on loopback, with data in a folder of their own; for one test file. Nodes count from 0. */
export class EtcdCluster {
  readonly dir: string;
  readonly authority: TestAuthority | undefined;
  /** For `novactl` under TLS. */
  readonly client: TestCertificate | undefined;
  readonly #nodes: readonly EtcdNode[];
  #generation = 0;

  private constructor(dir: string, ports: readonly number[], options: EtcdClusterOptions) {
    this.dir = dir;
    this.authority = options.tls === true ? new TestAuthority(join(dir, 'tls'), 'etcd test') : undefined;
    this.client = this.authority?.issue('novactl');
    const certificate = this.authority?.issue('etcd', ['localhost']);
    const count = options.nodes ?? 3;
    const names = Array.from({ length: count }, (_, index) => `n${index}`);
    const portsOf = (index: number): EtcdNode['options']['ports'] => {
      const [client = 0, peer = 0, metrics = 0] = ports.slice(index * 3);
      return { client, peer, metrics };
    };
    const members = names.map((name, index) => `${name}=${peerUrl(portsOf(index).peer)}`).join(',');
    const quota = options.quotaBytes === undefined ? [] : ['--quota-backend-bytes', String(options.quotaBytes)];
    const tls =
      this.authority === undefined || certificate === undefined
        ? {}
        : { tls: { caFile: this.authority.caFile, certificate } };
    this.#nodes = names.map((name, index) => {
      const flags = [...quota, ...(options.flags ?? [])];
      const own = { name, dir, ports: portsOf(index), members, token: 'novactl-test', flags, ...tls };
      return new EtcdNode(own, join(dir, `${name}.data`));
    });
  }

  /** Starts the nodes and waits until all are healthy. Nothing is left behind when that fails. */
  static async start(options: EtcdClusterOptions = {}): Promise<EtcdCluster> {
    for (let attempt = 1; ; attempt += 1) {
      const dir = mkdtempSync(join(tmpdir(), 'nv-etcd-'));
      const cluster = new EtcdCluster(dir, await freePorts((options.nodes ?? 3) * 3), options);
      try {
        await cluster.startAll();
        return cluster;
      } catch (error) {
        const portTaken = cluster.#nodes.some((node) => node.logTail().includes('address already in use'));
        await cluster.destroy();
        if (!portTaken || attempt === 3) throw error;
      }
    }
  }

  get size(): number {
    return this.#nodes.length;
  }

  get endpoints(): string[] {
    return this.#nodes.map((_, index) => this.endpoint(index));
  }

  /** How a client reaches one node; by name, so that TLS works. Another port: that of a proxy before it. */
  endpoint(index: number, port: number = this.clientPort(index)): string {
    return `${this.authority === undefined ? 'http' : 'https'}://localhost:${port}`;
  }

  clientPort(index: number): number {
    return this.node(index).options.ports.client;
  }

  /** For a client of these endpoints; by default of all nodes. */
  access(endpoints: readonly string[] = this.endpoints): EtcdAccess {
    if (this.authority === undefined || this.client === undefined) return { endpoints };
    return { endpoints, ca: this.authority.ca, cert: this.client.cert, key: this.client.key };
  }

  node(index: number): EtcdNode {
    const node = this.#nodes[index];
    if (node === undefined) throw new Error(`there is no node ${index}`);
    return node;
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(index: number): Promise<void> {
    await this.node(index).kill();
  }

  /** SIGSTOP: keeps its connections, answers nothing. */
  async stop(index: number): Promise<void> {
    await this.node(index).freeze();
  }

  cont(index: number): void {
    this.node(index).thaw();
  }

  /** Starts a killed node with the data that it had. Waits until it is healthy where a majority runs, which it can't be otherwise. */
  async start(index: number): Promise<void> {
    const node = this.node(index);
    if (!node.alive) node.spawn();
    const running = this.#nodes.filter((each) => each.running).length;
    if (running * 2 > this.size) await this.#healthy([node]);
  }

  async startAll(): Promise<void> {
    for (const node of this.#nodes) if (!node.alive) node.spawn();
    await this.#healthy(this.#nodes);
  }

  /** Waits until all nodes that run have a leader and answer. */
  async settled(): Promise<void> {
    await this.#healthy(this.#nodes.filter((node) => node.running));
  }

  /** The node that leads; waits until there is one. */
  async leader(): Promise<number> {
    const found = await until(
      async () => {
        const leads = await Promise.all(this.#nodes.map((node) => node.leads()));
        const indexes = leads.flatMap((is, index) => (is ? [index] : []));
        return indexes.length === 1 ? indexes : undefined;
      },
      { what: 'one node of etcd leads', timeoutMs: START_MS, everyMs: 100 },
    );
    return found[0] ?? 0;
  }

  /** The store's revision, as the majority knows it. */
  async revision(): Promise<number> {
    const text = await this.etcdctl('get', 'no-such-key', '--write-out=json');
    return Number(/"revision":(\d+)/.exec(text)?.[1]);
  }

  /** Forgets the history before this revision; default: up to now. */
  async compact(revision?: number): Promise<void> {
    await this.etcdctl('compact', '--physical', String(revision ?? (await this.revision())));
  }

  /** Makes room after NOSPACE: compacts, shrinks the files, lowers the alarm. */
  async makeRoom(): Promise<void> {
    await this.compact();
    for (const node of this.#nodes) await this.#ctl([node], ['defrag']);
    await this.etcdctl('alarm', 'disarm');
  }

  /** Writes a backup and returns its file. */
  async snapshot(): Promise<string> {
    this.#generation += 1;
    const file = join(this.dir, `backup-${this.#generation}.db`);
    await this.#ctl([this.node(await this.leader())], ['snapshot', 'save', file]);
    return file;
  }

  /**
   * Puts a backup in the place of what there is, the way an administrator does, and starts all nodes: members and addresses stay, the revision goes back.
   * With the same token the cluster keeps its id, with another it gets another one.
   */
  async restore(file: string, token = 'novactl-test'): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.kill()));
    this.#generation += 1;
    for (const node of this.#nodes) {
      const { name, ports, members } = node.options;
      node.dataDir = join(this.dir, `${name}.data-${this.#generation}`);
      await this.#run([
        ...['snapshot', 'restore', file, '--name', name, '--data-dir', node.dataDir],
        ...['--initial-cluster', members, '--initial-cluster-token', token],
        ...['--initial-advertise-peer-urls', peerUrl(ports.peer)],
      ]);
    }
    await this.startAll();
  }

  /** Runs etcdctl against all nodes that run; what it printed. */
  etcdctl(...words: string[]): Promise<string> {
    return this.#ctl(
      this.#nodes.filter((node) => node.running),
      words,
    );
  }

  /** Ends every process, also frozen ones, and removes the data. May be called twice. */
  async destroy(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.kill()));
    rmSync(this.dir, { recursive: true, force: true });
  }

  #ctl(nodes: readonly EtcdNode[], words: readonly string[]): Promise<string> {
    const endpoints = nodes.map((node) => this.endpoint(this.#nodes.indexOf(node))).join(',');
    const tls =
      this.client === undefined || this.authority === undefined
        ? []
        : ['--cacert', this.authority.caFile, '--cert', this.client.certFile, '--key', this.client.keyFile];
    return this.#run(['--endpoints', endpoints, '--command-timeout', '20s', ...tls, ...words]);
  }

  async #run(words: readonly string[]): Promise<string> {
    const env = { ...etcdEnv(), ETCDCTL_API: '3' };
    const { stdout } = await promisify(execFile)('/usr/bin/etcdctl', words, {
      env,
      timeout: 30_000,
      maxBuffer: MOST_PRINTED_BYTES,
    });
    return stdout;
  }

  async #healthy(nodes: readonly EtcdNode[]): Promise<void> {
    const all = async (): Promise<boolean> =>
      (await Promise.all(nodes.map((node) => node.healthy()))).every((healthy) => healthy);
    await until(all, { what: 'etcd is healthy', timeoutMs: START_MS, everyMs: 50 });
  }
}
