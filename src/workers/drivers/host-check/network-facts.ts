import { overlaps, parseCidr } from '../../../domain/addressing.ts';
import { fail, ok, warn, type Verdict } from './verdict.ts';

export const ROUTES_ARGV: readonly string[] = ['ip', '-j', '-4', 'route', 'show', 'table', 'main'];

interface RouteRow {
  readonly dst?: string;
  readonly dev?: string;
}

export interface HostRoute {
  readonly cidr: string;
  readonly dev: string;
}

function isCidr(text: string): boolean {
  try {
    parseCidr(text);
    return true;
  } catch {
    return false;
  }
}

/** IPv4 networks in `ip -j -4 route show table main`, without the default route and without ours (bridges nvb*). */
export function parseRoutes(json: string): HostRoute[] {
  const rows = (json.trim() === '' ? [] : JSON.parse(json)) as RouteRow[];
  return rows
    .filter((row) => row.dst !== undefined && row.dst !== 'default' && row.dev?.startsWith('nvb') !== true)
    .map(({ dst = '', dev = '?' }) => ({ cidr: dst.includes('/') ? dst : `${dst}/32`, dev }))
    .filter(({ cidr }) => isCidr(cidr));
}

/** Whether the host's own networks leave the instances' range alone. */
export function judgeRoutes(json: string, fixedRange: string): Verdict {
  const ours = parseCidr(fixedRange);
  const clashes = parseRoutes(json).filter(({ cidr }) => overlaps(ours, parseCidr(cidr)));
  const [first] = clashes;
  if (first === undefined) return ok(`no route of the host touches ${fixedRange}`);
  const seen = clashes.map(({ cidr, dev }) => `${cidr} on ${dev}`).join(', ');
  if (clashes.some(({ cidr }) => parseCidr(cidr).prefix <= ours.prefix)) {
    return fail(
      `the host routes ${seen}, which covers the instances' range ${fixedRange}`,
      'set network.fixedRange of the cloud to a range that no host uses',
    );
  }
  return warn(
    `the host routes ${seen}, inside the instances' range ${fixedRange}: it is kept clear of`,
    'give the network another range, or set network.fixedRange of the cloud to one that no host uses',
  );
}

export const FORWARDING_ARGV: readonly string[] = ['cat', '/proc/sys/net/ipv4/ip_forward'];

export function judgeForwarding(stdout: string): Verdict {
  const value = stdout.trim();
  if (value === '1') return ok('on');
  if (value === '0') return ok('off; it is turned on with the first network, and off again with the last');
  return fail(`ip_forward reads ${JSON.stringify(value)}`, 'sysctl net.ipv4.ip_forward');
}

/** Prints how bridges can be made: nothing is. */
export const BRIDGE_ARGV: readonly string[] = [
  'sh',
  '-c',
  'if [ -d /sys/module/bridge ]; then echo loaded; elif modprobe -n -q bridge 2>/dev/null; then echo module; elif [ "$(ip -j link show type bridge 2>/dev/null)" != "[]" ]; then echo used; fi; ip -V',
];

export function judgeBridge(stdout: string, exitCode: number): Verdict {
  if (exitCode !== 0) return fail('ip does not work', 'apt-get install iproute2');
  const [how = ''] = stdout.split('\n');
  if (how === 'loaded' || how === 'used') return ok('the kernel has bridges');
  if (how === 'module') return ok('the kernel has bridges as a module, which is loaded when one is made');
  return warn('the kernel does not say whether it has bridges', 'modprobe bridge');
}
