import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CliResult, NOVACTL, run, TestCloud } from '../../support/test-cloud.ts';

export const LIBFAKETIME = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
].find((path) => existsSync(path));

/** The whole environment that Debian's cron gives a job of root (crontab(5)). */
const CRON_ENV = { SHELL: '/bin/sh', HOME: '/root', LOGNAME: 'root', PATH: '/usr/bin:/bin' };

/** Runs of cron's own clock: five of its minutes are ten seconds. */
const SPEED = 30;

/** A cloud without hosts, worked on as cron does. */
export class CronMachine {
  /** Without a port: another test's daemon may be on this machine. */
  readonly cloud = new TestCloud({ NOVACTL_METADATA_LISTEN: 'none' });
  #cron: ChildProcess | undefined;

  get dir(): string {
    return this.cloud.dir;
  }

  get stateDir(): string {
    return join(this.dir, 'state');
  }

  /** The folders of this cloud, which a job of cron does not have in its environment. */
  get words(): string[] {
    const at = (name: string): string[] => ['--set', `${name}Dir=${join(this.dir, name)}`];
    return [...at('state'), ...at('run'), ...at('host')];
  }

  /** One job as cron starts it: its environment, no terminal, the home folder. */
  job(job: string, options: { words?: readonly string[]; env?: Record<string, string> } = {}): Promise<CliResult> {
    const words = ['maintain', job, '--cron', ...this.words, ...(options.words ?? [])];
    const env = Object.entries({ ...CRON_ENV, ...options.env }).map(([name, value]) => `${name}=${value}`);
    return run('/bin/sh', ['-c', 'cd /root && exec env -i "$@"', 'sh', ...env, NOVACTL, ...words]);
  }

  /** The same after `prepare` (sh) in a mount namespace of its own. */
  jobWithMounts(prepare: string, job: string, words: readonly string[] = []): Promise<CliResult> {
    const script = `set -e; dir=$1; shift; ${prepare}; exec env -i "$@"`;
    const env = Object.entries(CRON_ENV).map(([name, value]) => `${name}=${value}`);
    const command = [...env, NOVACTL, 'maintain', job, '--cron', ...this.words, ...words];
    return run('unshare', ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh', this.dir, ...command]);
  }

  /** Debian's cron in the foreground, with the installed file alone, in a mount namespace of its own, its clock faster. */
  startCron(root: string): void {
    writeFileSync(join(this.dir, 'empty'), '');
    const script = `set -e
mount --bind "$1/etc/cron.d" /etc/cron.d
mount --bind "$2/empty" /etc/crontab
mount -t tmpfs tmpfs /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
mount -t tmpfs tmpfs /run
exec env LD_PRELOAD="$3" FAKETIME='+0 x${SPEED}' NO_FAKE_STAT=1 DONT_FAKE_MONOTONIC=1 cron -f`;
    const words = ['-m', '--propagation', 'private', 'sh', '-c', script, 'sh', root, this.dir, LIBFAKETIME ?? ''];
    this.#cron = spawn('unshare', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  }

  async stopCron(): Promise<void> {
    const cron = this.#cron;
    this.#cron = undefined;
    if (cron === undefined || cron.exitCode !== null || cron.signalCode !== null) return;
    const gone = new Promise((resolve) => cron.once('exit', resolve));
    cron.kill('SIGTERM');
    await gone;
  }

  get cronEnded(): number | null | undefined {
    return this.#cron?.exitCode;
  }
}
