import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { TestCertificate } from './test-authority.ts';
import { until } from './until.ts';

const ETCD = '/usr/bin/etcd';
const ETCDCTL = '/usr/bin/etcdctl';

/** Why no etcd of our own can be started here; undefined when it can. For ctx.skip(reason). */
export function etcdMissing(): string | undefined {
  const missing = [ETCD, ETCDCTL].filter((program) => !existsSync(program));
  return missing.length === 0 ? undefined : `${missing.join(' and ')}: not installed (etcd-server, etcd-client)`;
}

/** etcd 3.4 starts on arm64 only when it is told to. */
export const etcdEnv = (): NodeJS.ProcessEnv => ({
  PATH: process.env['PATH'],
  ...(process.arch === 'arm64' ? { ETCD_UNSUPPORTED_ARCH: 'arm64' } : {}),
});

export interface EtcdNodeOptions {
  readonly name: string;
  /** Of the log; data are where `dataDir` says. */
  readonly dir: string;
  readonly ports: { readonly client: number; readonly peer: number; readonly metrics: number };
  /** All members as etcd wants them: name=peer address, with commas. */
  readonly members: string;
  readonly token: string;
  readonly tls?: { readonly caFile: string; readonly certificate: TestCertificate };
  readonly flags: readonly string[];
}

export const peerUrl = (port: number): string => `http://127.0.0.1:${port}`;

/** One etcd process with its log. Dies with this process, whatever ends that. */
export class EtcdNode {
  readonly options: EtcdNodeOptions;
  dataDir: string;
  #child: ChildProcess | undefined;
  #frozen = false;

  constructor(options: EtcdNodeOptions, dataDir: string) {
    this.options = options;
    this.dataDir = dataDir;
  }

  get logFile(): string {
    return join(this.options.dir, `${this.options.name}.log`);
  }

  /** A process is there, frozen or not. */
  get alive(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Neither dead nor frozen. */
  get running(): boolean {
    return this.alive && !this.#frozen;
  }

  get pid(): number | undefined {
    return this.alive ? this.#child?.pid : undefined;
  }

  spawn(): void {
    const log = openSync(this.logFile, 'a');
    writeSync(log, `--- start\n`);
    const argv = ['--pdeathsig', 'KILL', ETCD, ...this.#flags()];
    this.#child = spawn('setpriv', argv, { stdio: ['ignore', log, log], env: etcdEnv() });
    this.#child.on('error', () => undefined);
    this.#frozen = false;
    closeSync(log);
  }

  /** The answer to a plain HTTP question beside the API: /health, /metrics. Undefined: none in time. */
  async ask(path: string): Promise<string | undefined> {
    if (!this.running) return undefined;
    try {
      const url = `http://127.0.0.1:${this.options.ports.metrics}${path}`;
      const answer = await fetch(url, { signal: AbortSignal.timeout(2_000) });
      return await answer.text();
    } catch {
      return undefined;
    }
  }

  /** It has a leader, and reads through it work. Throws with the end of the log when the process is gone. */
  async healthy(): Promise<boolean> {
    if (!this.alive) throw new Error(`${this.options.name} ended: ${this.logTail()}`);
    return (await this.ask('/health'))?.includes('"health":"true"') ?? false;
  }

  async leads(): Promise<boolean> {
    return /^etcd_server_is_leader 1$/m.test((await this.ask('/metrics')) ?? '');
  }

  logTail(): string {
    return existsSync(this.logFile) ? readFileSync(this.logFile, 'utf8').slice(-1500) : 'no log';
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.alive) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** SIGSTOP: it holds its connections and answers nothing. */
  async freeze(): Promise<void> {
    this.#frozen = true;
    const pid = this.#signal('SIGSTOP');
    await until(() => / [Tt] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\)/, '')), {
      what: `${this.options.name} stands still`,
    });
  }

  thaw(): void {
    this.#frozen = false;
    this.#signal('SIGCONT');
  }

  #signal(name: NodeJS.Signals): number {
    const pid = this.pid;
    if (pid === undefined) throw new Error(`${this.options.name} does not run`);
    process.kill(pid, name);
    return pid;
  }

  #flags(): string[] {
    const { name, ports, members, token, tls, flags } = this.options;
    const scheme = tls === undefined ? 'http' : 'https';
    return [
      ...['--name', name, '--data-dir', this.dataDir],
      ...['--listen-client-urls', `${scheme}://127.0.0.1:${ports.client}`],
      ...['--advertise-client-urls', `${scheme}://localhost:${ports.client}`],
      ...['--listen-peer-urls', peerUrl(ports.peer), '--initial-advertise-peer-urls', peerUrl(ports.peer)],
      ...['--listen-metrics-urls', `http://127.0.0.1:${ports.metrics}`],
      ...['--initial-cluster', members, '--initial-cluster-token', token, '--initial-cluster-state', 'new'],
      ...['--heartbeat-interval', '50', '--election-timeout', '500'],
      ...['--logger', 'zap', '--log-outputs', 'stderr'],
      ...(tls === undefined
        ? []
        : [
            ...['--client-cert-auth', '--trusted-ca-file', tls.caFile],
            ...['--cert-file', tls.certificate.certFile, '--key-file', tls.certificate.keyFile],
          ]),
      ...flags,
    ];
  }
}
