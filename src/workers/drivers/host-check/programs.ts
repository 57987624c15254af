import { fail, ok, type Verdict } from './verdict.ts';

/** Program -> Debian's package. All that the drivers run on a host beside coreutils. */
const PROGRAMS = {
  ip: 'iproute2',
  nft: 'nftables',
  dnsmasq: 'dnsmasq-base',
  'qemu-img': 'qemu-utils',
  sysctl: 'procps',
  setpriv: 'util-linux',
  flock: 'util-linux',
  find: 'findutils',
} as const;

/** Prints each that is absent. `command -v` also finds what only root has in its PATH, since it runs as root. */
export const PROGRAMS_ARGV: readonly string[] = [
  'sh',
  '-c',
  'for p; do command -v "$p" >/dev/null || echo "$p"; done',
  'sh',
  ...Object.keys(PROGRAMS),
];

export function judgePrograms(stdout: string): Verdict {
  const missing = stdout.split('\n').filter((name): name is keyof typeof PROGRAMS => Object.hasOwn(PROGRAMS, name));
  if (missing.length === 0) return ok(`${Object.keys(PROGRAMS).join(', ')} are there`);
  const packages = [...new Set(missing.map((name) => PROGRAMS[name]))];
  return fail(`not installed: ${missing.join(', ')}`, `apt-get install ${packages.join(' ')}`);
}
