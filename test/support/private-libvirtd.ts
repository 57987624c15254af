import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, chmodSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { Hypervisor } from '../../src/ports/hypervisor.ts';
import { createLibvirtHypervisor } from '../../src/workers/drivers/libvirt/libvirt-hypervisor.ts';
import { dialUnix } from './dial-unix.ts';
import { until } from './until.ts';

const run = promisify(execFile);

/** Why no libvirtd of our own can be started here; undefined when it can. For ctx.skip(reason). */
export function libvirtdMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, to start a libvirtd of its own';
  for (const tool of ['libvirtd', 'virtlogd', 'qemu-system-x86_64', 'unshare']) {
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `${tool} is not installed`;
  }
  return undefined;
}

/** A hypervisor on the socket, with the real clock; the caller closes it. */
export function hypervisorOn(socket: string): Hypervisor {
  return createLibvirtHypervisor({
    dial: dialUnix(socket),
    clock: new SystemClock(),
    random: new SystemRandom(),
    logger: silentLogger,
  });
}

/** Waits until the daemon behind the socket really answers. */
export async function untilLibvirtAnswers(socket: string, timeoutMs = 60_000): Promise<void> {
  const hypervisor = hypervisorOn(socket);
  try {
    const answers = (): Promise<boolean> =>
      hypervisor.facts().then(
        () => true,
        () => false,
      );
    await until(answers, { what: `libvirt answers on ${socket}`, timeoutMs, everyMs: 50 });
  } finally {
    await hypervisor.close();
  }
}

/**
 * In a mount namespace of its own, with its own /run, /var/lib, /var/log and /etc of libvirt and /dev/kvm hidden: it shares nothing
 * with the machine's libvirtd but the capability cache, so that a test may kill it. The socket is reachable from outside by its path.
 */
const START = `
set -e
D=$1
mount --make-rshared /
mount --bind "$D/run" /run/libvirt
mount --bind "$D/lib" /var/lib/libvirt
mount --bind "$D/log" /var/log/libvirt
mount --bind "$D/etc" /etc/libvirt
if [ -e /dev/kvm ]; then mount --bind "$D/no-kvm" /dev/kvm; mount -o remount,bind,ro /dev/kvm; fi
kill -0 "$(cat "$D/virtlogd.pid" 2>/dev/null)" 2>/dev/null || virtlogd -d -p "$D/virtlogd.pid"
exec libvirtd -d -p "$D/libvirtd.pid"
`;

const PREPARE = `
set -e
D=$1
mkdir -p /run/libvirt /var/log/libvirt "$D/run" "$D/lib/qemu" "$D/log" "$D/etc"
cp -a /etc/libvirt/. "$D/etc/"
rm -rf "$D"/etc/qemu/*.xml "$D"/etc/qemu/autostart "$D"/etc/qemu/networks/autostart
chown --reference=/var/lib/libvirt/qemu "$D/lib/qemu"
: >"$D/no-kvm"; chmod 0 "$D/no-kvm"
`;

/** False for a zombie too: where process 1 reaps slowly, a dead orphan stays listed for a while. */
function isRunning(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

function readPid(path: string): number | undefined {
  if (!existsSync(path)) return undefined;
  const pid = Number(readFileSync(path, 'utf8').trim());
  return pid > 0 && isRunning(pid) ? pid : undefined;
}

function signal(pid: number | undefined, name: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The folder that libvirt made for the domain, in each hierarchy. */
function cgroupsOf(pid: number): string[] {
  const name = /\/machine\/(qemu-[^/\n]+)/.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1];
  if (name === undefined) return [];
  const roots = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((entry) => join('/sys/fs/cgroup', entry))];
  return roots.map((root) => join(root, 'machine', name)).filter((path) => existsSync(path));
}

function untilGone(pids: readonly (number | undefined)[]): Promise<boolean> {
  const gone = (): boolean => pids.every((pid) => pid === undefined || !isRunning(pid));
  return until(gone, { what: `processes ${pids.join(', ')} are gone`, timeoutMs: 30_000 });
}

/** A libvirtd that belongs to one test file. */
export class PrivateLibvirtd {
  /** Mode 0711, on a path that QEMU's user can reach: put images in a folder of your own below it. */
  readonly dir: string;
  readonly socket: string;

  private constructor(dir: string) {
    this.dir = dir;
    this.socket = join(dir, 'run', 'libvirt-sock');
  }

  static async start(): Promise<PrivateLibvirtd> {
    const dir = mkdtempSync(join(tmpdir(), 'nv-libvirt-'));
    chmodSync(dir, 0o711);
    execFileSync('sh', ['-c', PREPARE, 'sh', dir]);
    mkdirSync(join(dir, 'files'), { mode: 0o711 });
    const daemon = new PrivateLibvirtd(dir);
    try {
      await daemon.startDaemon();
    } catch (error) {
      await daemon.stop();
      throw error;
    }
    return daemon;
  }

  /** Starts libvirtd (again) and waits for a real answer. */
  async startDaemon(): Promise<void> {
    await run('unshare', ['--mount', '--propagation', 'slave', 'sh', '-c', START, 'sh', this.dir]);
    await untilLibvirtAnswers(this.socket);
  }

  /** Ends libvirtd and waits until it is gone; QEMU and virtlogd live on. */
  async endDaemon(how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const pid = readPid(join(this.dir, 'libvirtd.pid'));
    signal(pid, how);
    await untilGone([pid]);
  }

  async restart(how: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    await this.endDaemon(how);
    await this.startDaemon();
  }

  /** Runs something on a hypervisor that is closed behind it. */
  async withHypervisor<T>(use: (hypervisor: Hypervisor) => Promise<T>): Promise<T> {
    const hypervisor = hypervisorOn(this.socket);
    try {
      return await use(hypervisor);
    } finally {
      await hypervisor.close();
    }
  }

  /** Sends the daemon a signal and does not wait. */
  signalDaemon(name: NodeJS.Signals): void {
    signal(readPid(join(this.dir, 'libvirtd.pid')), name);
  }

  /** Process id of a running domain's QEMU. */
  qemuPid(name: string): number | undefined {
    return readPid(join(this.dir, 'run', 'qemu', `${name}.pid`));
  }

  /** Kills every QEMU of this daemon, the daemons, and removes the folder. */
  async stop(): Promise<void> {
    await this.endDaemon('SIGKILL');
    const qemuDir = join(this.dir, 'run', 'qemu');
    const names = existsSync(qemuDir) ? readdirSync(qemuDir).filter((name) => name.endsWith('.pid')) : [];
    const pids = names.filter((name) => name !== 'driver.pid').map((name) => readPid(join(qemuDir, name)));
    const cgroups = pids.flatMap((pid) => (pid === undefined ? [] : cgroupsOf(pid)));
    for (const pid of pids) signal(pid, 'SIGKILL');
    const logger = readPid(join(this.dir, 'virtlogd.pid'));
    signal(logger, 'SIGTERM');
    await untilGone([...pids, logger]);
    // Nobody is left who would remove them.
    for (const cgroup of cgroups) spawnSync('sh', ['-c', 'find "$1" -depth -type d -exec rmdir {} +', 'sh', cgroup]);
    rmSync(this.dir, { recursive: true, force: true });
  }
}
