import { CloudError } from '../base/errors.ts';
import type { HostShell } from '../ports/host-shell.ts';
import { GIB } from '../base/units.ts';
import { parseRoutes, ROUTES_ARGV } from '../workers/drivers/host-check/network-facts.ts';
import { diskArgv, parseDisk } from '../workers/drivers/host-check/room.ts';

/** Free space where disks will live, in whole GiB; looks at the nearest folder that exists, and makes none. */
export async function freeDiskGib(shell: HostShell, path: string): Promise<number> {
  const { exitCode, stdout } = await shell.exec(diskArgv(path));
  const room = exitCode === 0 ? parseDisk(stdout) : undefined;
  if (room === undefined) throw new CloudError('HostError', `df does not work on ${shell.name}`);
  return Math.floor(room.freeBytes / GIB);
}

/** Memory of the machine. libvirt's own figure leaves out memory that was plugged in later. */
export async function totalMemoryMib(shell: HostShell): Promise<number> {
  const text = (await shell.readFile('/proc/meminfo')).toString();
  const kib = /^MemTotal:\s+(\d+) kB$/m.exec(text)?.[1];
  if (kib === undefined)
    throw new CloudError('HostError', `/proc/meminfo of ${shell.name} does not say how much memory there is`);
  return Math.floor(Number(kib) / 1024);
}

/** IPv4 networks that the host routes, without its default route and without ours (bridges nvb*). */
export async function hostRoutes(shell: HostShell): Promise<string[]> {
  const { exitCode, stdout, stderr } = await shell.exec(ROUTES_ARGV);
  if (exitCode !== 0) throw new CloudError('HostError', `ip route failed on ${shell.name}: ${stderr.trim()}`);
  return parseRoutes(stdout).map(({ cidr }) => cidr);
}
