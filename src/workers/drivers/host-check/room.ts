import { GIB, humanBytes, MIB } from '../../../base/units.ts';
import { fail, ok, warn, type Verdict } from './verdict.ts';

const DISK = { failBelow: 2 * GIB, warnBelow: 10 * GIB } as const;
const MEMORY = { failBelow: 640 * MIB, warnBelow: 2 * GIB, availableBelow: 512 * MIB } as const;

/** Of the file system that the folder is in, or will be in: `df` of its nearest parent that is there. */
export function diskArgv(hostDir: string): string[] {
  const script = 'd=$1; while [ ! -d "$d" ]; do d=${d%/*}; d=${d:-/}; done; df --output=avail,target -B1 "$d"';
  return ['sh', '-c', script, 'sh', hostDir];
}

/** Reads the two lines of `df --output=avail,target -B1`; undefined when they are something else. */
export function parseDisk(stdout: string): { readonly freeBytes: number; readonly target: string } | undefined {
  const [, avail, target = '/'] = /^\s*(\d+)\s+(\S.*)$/m.exec(stdout) ?? [];
  return avail === undefined ? undefined : { freeBytes: Number(avail), target };
}

/** Of what diskArgv printed. */
export function judgeDisk(stdout: string, hostDir: string): Verdict {
  const room = parseDisk(stdout);
  if (room === undefined) return fail(`df does not say how much is free for ${hostDir}`, `df -h ${hostDir}`);
  const { freeBytes: bytes, target } = room;
  const seen = `${humanBytes(bytes)} free for ${hostDir} (on ${target})`;
  const mend = `make room on ${target}, or mount a larger file system at ${hostDir}`;
  if (bytes < DISK.failBelow) return fail(seen, mend);
  return bytes < DISK.warnBelow ? warn(seen, mend) : ok(seen);
}

function field(meminfo: string, name: string): number | undefined {
  const kib = new RegExp(String.raw`^${name}:\s+(\d+) kB$`, 'm').exec(meminfo)?.[1];
  return kib === undefined ? undefined : Number(kib) * 1024;
}

/** Reads /proc/meminfo. */
export function judgeMemory(meminfo: string): Verdict {
  const total = field(meminfo, 'MemTotal');
  const available = field(meminfo, 'MemAvailable');
  if (total === undefined || available === undefined)
    return fail('/proc/meminfo does not say how much memory there is');
  const seen = `${humanBytes(total)}, of which ${humanBytes(available)} are available`;
  if (total < MEMORY.failBelow) return fail(seen, 'give the machine more memory: instances get what is beyond 512 MiB');
  if (total < MEMORY.warnBelow) return warn(seen, 'give the machine more memory: there is room for few instances');
  if (available < MEMORY.availableBelow) return warn(seen, 'see what takes it: ps -eo rss,args --sort=-rss | head');
  return ok(seen);
}
