import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { heardOfCli, searchRemains, watchFor } from './canaries.ts';
import { until } from './until.ts';

const ROOT = join(import.meta.dirname, '..', '..');
export const NOVACTL = join(ROOT, 'bin', 'novactl');

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A range and port beside the defaults, so that a cloud of the person who runs the tests is not in the way. */
const RANGE = '10.216.0.0/13';
const METADATA_PORT = 18_775;

/**
 * A whole cloud of the built command line: the daemon in a process of its own, commands as a user gives them, in folders of its own. Its folder is not
 * under the clone, since QEMU's user must be able to walk to the disks.
 */
export class TestCloud {
  readonly dir: string;
  readonly env: NodeJS.ProcessEnv;
  #daemon: ChildProcess | undefined;

  constructor(extra: Record<string, string> = {}) {
    const parent = process.getuid?.() === 0 ? '/var/lib' : tmpdir();
    this.dir = mkdtempSync(join(parent, 'novactl-test-'));
    chmodSync(this.dir, 0o711);
    this.env = {
      ...process.env,
      HOME: this.dir,
      XDG_CONFIG_HOME: join(this.dir, 'config'),
      NOVACTL_STATE_DIR: join(this.dir, 'state'),
      NOVACTL_RUN_DIR: join(this.dir, 'run'),
      NOVACTL_HOST_DIR: join(this.dir, 'host'),
      NOVACTL_NETWORK_FIXED_RANGE: RANGE,
      NOVACTL_METADATA_PORT: String(METADATA_PORT),
      NOVACTL_INSTANCES_STOP_TIMEOUT_MS: '5000',
      NO_COLOR: '1',
      ...extra,
    };
  }

  get logPath(): string {
    return join(this.dir, 'daemon.log');
  }

  get log(): string {
    return existsSync(this.logPath) ? readFileSync(this.logPath, 'utf8') : '';
  }

  get pid(): number {
    return this.#daemon?.pid ?? 0;
  }

  /** Starts the daemon and waits until it answers. */
  async start(): Promise<void> {
    const log = openSync(this.logPath, 'a', 0o600);
    const daemon = spawn(NOVACTL, ['serve'], { env: this.env, stdio: ['ignore', log, log] });
    this.#daemon = daemon;
    await until(
      async () => {
        if (daemon.exitCode !== null)
          throw new Error(`the daemon ended with ${daemon.exitCode}:\n${this.log.slice(-2000)}`);
        return (await this.cli('status', '--quiet')).code === 0;
      },
      { what: 'the daemon answers', timeoutMs: 60_000, everyMs: 50 },
    );
  }

  /** The daemon dies at once, with whatever it was doing. */
  async kill9(): Promise<void> {
    const daemon = this.#daemon;
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return;
    const gone = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill('SIGKILL');
    await gone;
  }

  async stop(): Promise<number | null> {
    const daemon = this.#daemon;
    if (daemon === undefined || daemon.exitCode !== null || daemon.signalCode !== null) return daemon?.exitCode ?? null;
    const gone = new Promise<number | null>((resolve) => daemon.once('exit', (code) => resolve(code)));
    daemon.kill('SIGTERM');
    return gone;
  }

  /** One command to its end, never on a terminal. */
  cli(...args: string[]): Promise<CliResult> {
    return run(NOVACTL, args, this.env);
  }

  /** The same cloud, commands given with other environment. */
  with(extra: Record<string, string>): Pick<TestCloud, 'cli'> {
    return { cli: (...args) => run(NOVACTL, args, { ...this.env, ...extra }) };
  }

  /** A command that must succeed. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.cli(...args);
    if (code !== 0) throw new Error(`novactl ${args.join(' ')} ended with ${code}:\n${stderr}\n${stdout}`);
    return stdout;
  }

  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.ok(...args, '--json')) as T;
  }

  /** Every instance, terminated ones too. */
  async instances(): Promise<InstanceRow[]> {
    return (await this.json<{ instances: InstanceRow[] }>('instance', 'list', '--all')).instances;
  }

  /** Ends the instances, then the daemon, then the folder. */
  async destroy(): Promise<void> {
    if (this.#daemon === undefined || this.#daemon.exitCode !== null || this.#daemon.signalCode !== null)
      await this.start();
    const live = (await this.instances()).filter((row) => row.state !== 'terminated');
    if (live.length > 0)
      await this.ok('instance', 'terminate', '--yes', '--wait', ...live.map((row) => row.instanceId));
    await this.stop();
    const masterKey = join(this.dir, 'state', 'seal.key');
    if (existsSync(masterKey)) watchFor('master key', readFileSync(masterKey, 'utf8').trim());
    searchRemains(this.dir);
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export interface InstanceRow {
  readonly instanceId: string;
  readonly state: string;
  readonly stateReason?: { readonly code: string; readonly message: string };
  readonly privateIpAddress: string;
  readonly macAddress: string;
  readonly keyName?: string;
}

export function run(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  input = '',
): Promise<CliResult> {
  return new Promise((resolve) => {
    const child = execFile(file, [...args], { env, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
      if (file === NOVACTL) heardOfCli(args, { stdout, stderr });
      resolve({ code, stdout, stderr });
    });
    // Who does not read its input may have ended by now.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

/** Names of the domains that libvirt has, with what it says of each. */
export async function domains(): Promise<Map<string, string>> {
  const { stdout } = await run('virsh', ['-q', '-c', 'qemu:///system', 'list', '--all']);
  const rows = stdout
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((words) => words.length >= 3);
  return new Map(rows.map((words) => [words[1] ?? '', words.slice(2).join(' ')]));
}
