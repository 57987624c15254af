import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NOVACTL } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';

const READY_MS = 60_000;

export interface ClusterProcessOptions {
  /** Of the process among the cloud's: node.name. */
  readonly name: string;
  readonly roles: string;
  /** Its folders are made in here. */
  readonly dir: string;
  readonly metricsPort: number;
  readonly env: NodeJS.ProcessEnv;
}

/** One `novactl serve` of several, with folders of its own. Dies with this process, whatever ends that. */
export class ClusterProcess {
  readonly name: string;
  readonly roles: string;
  readonly dir: string;
  readonly env: NodeJS.ProcessEnv;
  readonly #metricsPort: number;
  #child: ChildProcess | undefined;

  constructor({ name, roles, dir, metricsPort, env }: ClusterProcessOptions) {
    this.name = name;
    this.roles = roles;
    this.dir = join(dir, name);
    this.#metricsPort = metricsPort;
    mkdirSync(this.dir, { recursive: true, mode: 0o700 });
    this.env = {
      ...env,
      NOVACTL_NODE_NAME: name,
      NOVACTL_ROLES: roles,
      NOVACTL_STATE_DIR: join(this.dir, 'state'),
      NOVACTL_RUN_DIR: join(this.dir, 'run'),
      NOVACTL_METRICS_LISTEN: `127.0.0.1:${metricsPort}`,
    };
  }

  get socketPath(): string {
    return join(this.dir, 'run', 'novactl.sock');
  }

  get logPath(): string {
    return join(this.dir, 'log');
  }

  get log(): string {
    return existsSync(this.logPath) ? readFileSync(this.logPath, 'utf8') : '';
  }

  get alive(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Starts it, and does not wait. */
  spawn(): void {
    if (this.alive) throw new Error(`${this.name} runs already`);
    const log = openSync(this.logPath, 'a', 0o600);
    const argv = ['--pdeathsig', 'KILL', NOVACTL, 'serve', '--roles', this.roles];
    this.#child = spawn('setpriv', argv, { env: this.env, stdio: ['ignore', log, log] });
    closeSync(log);
  }

  async start(): Promise<void> {
    this.spawn();
    await this.ready();
  }

  /** The answer of `/readyz`, `/livez` or `/metrics`; undefined: none in time. */
  async ask(path: string): Promise<{ status: number; text: string } | undefined> {
    try {
      const url = `http://127.0.0.1:${this.#metricsPort}${path}`;
      const answer = await fetch(url, { signal: AbortSignal.timeout(2000) });
      return { status: answer.status, text: await answer.text() };
    } catch {
      return undefined;
    }
  }

  /** Until it says that it does all of its work. */
  async ready(): Promise<void> {
    let last: { status: number; text: string } | undefined;
    await until(
      async () => {
        if (!this.alive) throw new Error(`${this.name} ended: ${this.log.slice(-2000)}`);
        last = await this.ask('/readyz');
        return last?.status === 200;
      },
      { what: `${this.name} is ready`, timeoutMs: READY_MS, everyMs: 100 },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}: ${JSON.stringify(last)}\n${this.log.slice(-2000)}`);
    });
  }

  /** SIGKILL; resolves when it is gone. One that stands still dies too. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** SIGTERM: it drains. Answers its exit code. */
  async stop(): Promise<number | null> {
    return this.#end('SIGTERM');
  }

  /** SIGSTOP: it keeps its connections and does nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async #end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || !this.alive) return child?.exitCode ?? null;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
    return child.exitCode;
  }
}
