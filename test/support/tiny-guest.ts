import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { until } from './until.ts';

const MACHINE: Readonly<Record<string, { program: string; args: readonly string[] }>> = {
  x64: { program: 'qemu-system-x86_64', args: ['-M', 'pc', '-cpu', 'qemu64'] },
  arm64: { program: 'qemu-system-aarch64', args: ['-M', 'virt', '-cpu', 'cortex-a57'] },
};

export interface GuestOptions {
  /** For the console, the monitor and the log. */
  readonly dir: string;
  readonly memoryMib?: number;
  readonly kernel?: { readonly kernelPath: string; readonly ramdiskPath: string; readonly kernelArgs: string };
  readonly disks?: readonly { readonly path: string; readonly format: 'raw' | 'qcow2' }[];
  /** QEMU's own network with DHCP; `dead` is a cable that leads nowhere. */
  readonly net?: { readonly metadataPort?: number; readonly sshPort?: number } | 'dead';
}

export interface Guest {
  /** Everything on the serial console so far. */
  console(): string;
  /** The match, when the console shows it. */
  shows(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
  type(text: string): void;
  pressPowerButton(): Promise<void>;
  /** Resolves with the time it took from now until QEMU has ended, in milliseconds. */
  ended(timeoutMs: number): Promise<number>;
  kill(): Promise<void>;
}

/** Why no guest can be booted here; undefined when it can. */
export function whyNoGuest(): string | undefined {
  const machine = MACHINE[process.arch];
  if (machine === undefined) return `no QEMU machine is known for ${process.arch}`;
  if (spawnSync(machine.program, ['--version']).status !== 0) return `${machine.program} is not installed`;
  return undefined;
}

function networkArgs(net: GuestOptions['net']): string[] {
  if (net === undefined) return ['-nic', 'none'];
  const device = ['-device', 'virtio-net-pci,netdev=n,romfile='];
  // A socket that nobody is at the other end of: frames go nowhere and nothing comes.
  if (net === 'dead') return ['-netdev', 'hubport,id=n,hubid=7', ...device];
  // QEMU forwards only addresses of its own network, so that has to be the one with the metadata address in it.
  const words = ['user', 'id=n', 'net=169.254.169.0/24'];
  if (net.sshPort !== undefined) words.push(`hostfwd=tcp:127.0.0.1:${net.sshPort}-:22`);
  if (net.metadataPort !== undefined) {
    words.push(`guestfwd=tcp:169.254.169.254:80-cmd:busybox nc 127.0.0.1 ${net.metadataPort}`);
  }
  return ['-netdev', words.join(','), ...device];
}

function guestArgv(options: GuestOptions): string[] {
  const { dir, memoryMib = 128, kernel, disks = [] } = options;
  const log = `logfile=${join(dir, 'console.log')},logappend=off`;
  const drives = disks.flatMap(({ path, format }) => ['-drive', `file=${path},format=${format},if=virtio`]);
  const direct = kernel && ['-kernel', kernel.kernelPath, '-initrd', kernel.ramdiskPath, '-append', kernel.kernelArgs];
  return [
    ...['-accel', 'tcg', '-m', String(memoryMib), '-display', 'none', '-nodefaults', '-no-user-config'],
    ...['-chardev', `socket,id=c,path=${join(dir, 'console')},server=on,wait=off,${log}`, '-serial', 'chardev:c'],
    ...['-monitor', `unix:${join(dir, 'monitor')},server,nowait`],
    ...['-device', 'virtio-rng-pci', ...drives, ...(direct ?? []), ...networkArgs(options.net)],
  ];
}

async function send(socketPath: string, text: string): Promise<void> {
  const socket = createConnection({ path: socketPath });
  await once(socket, 'connect');
  socket.resume();
  socket.end(text);
  await once(socket, 'close');
}

/** A QEMU process of its own, without libvirt. Always kill() it. */
export async function startGuest(options: GuestOptions): Promise<Guest> {
  const machine = MACHINE[process.arch];
  if (machine === undefined) throw new Error(`no machine for ${process.arch}`);
  const child: ChildProcess = spawn(machine.program, [...machine.args, ...guestArgv(options)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr?.on('data', (data: Buffer) => (complaint += data.toString()));
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  const path = (name: string): string => join(options.dir, name);
  await until(() => existsSync(path('monitor')) || !alive(), { what: 'QEMU started' });
  if (!alive()) throw new Error(`QEMU did not start: ${complaint}`);
  const keyboard = createConnection({ path: path('console') });
  keyboard.on('error', () => undefined).resume();
  const text = (): string =>
    (existsSync(path('console.log')) ? readFileSync(path('console.log'), 'latin1') : '').replaceAll('\r', '');
  const ended = async (timeoutMs: number): Promise<number> => {
    const start = performance.now();
    await until(() => !alive(), {
      what: `the guest ended; its console: ${text().slice(-500)}`,
      timeoutMs,
      everyMs: 10,
    });
    return performance.now() - start;
  };
  return {
    console: text,
    shows: async (pattern, timeoutMs = 90_000) => {
      const look = (): RegExpExecArray | false => {
        const match = pattern.exec(text());
        if (match === null && !alive())
          throw new Error(`the guest ended before ${pattern}: ${complaint}${text().slice(-2000)}`);
        return match ?? false;
      };
      return (await until(look, { what: `the console shows ${pattern}`, timeoutMs, everyMs: 50 }).catch(
        (error: unknown) => {
          throw new Error(`${String(error)}; it shows:\n${text().slice(-3000)}`);
        },
      )) as RegExpExecArray;
    },
    type: (keys) => void keyboard.write(keys),
    pressPowerButton: () => send(path('monitor'), 'system_powerdown\n'),
    ended,
    kill: async () => {
      child.kill('SIGKILL');
      await ended(10_000);
      keyboard.destroy();
    },
  };
}
