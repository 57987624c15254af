import { CloudError } from '../base/errors.ts';
import { formatIpv4, parseIpv4 } from './addressing.ts';
import type { RuleMatch } from './security-groups.ts';

/** EC2's names of protocols, and their numbers in IANA's list. */
const PROTOCOLS: ReadonlyMap<string, string> = new Map([
  ['-1', '-1'],
  ['all', '-1'],
  ['1', 'icmp'],
  ['icmp', 'icmp'],
  ['6', 'tcp'],
  ['tcp', 'tcp'],
  ['17', 'udp'],
  ['udp', 'udp'],
  ['58', 'icmpv6'],
  ['icmpv6', 'icmpv6'],
]);

const bad = (parameter: string, message: string): CloudError =>
  new CloudError('InvalidParameterValue', `${parameter}: ${message}`, { details: { parameter } });

interface Ports {
  readonly IpProtocol: string;
  readonly FromPort?: number | undefined;
  readonly ToPort?: number | undefined;
}

/** What a permission matches, in the one form in which rules are compared. Errors: 'InvalidParameterValue', 'MissingParameter'. */
export function ruleMatch({ IpProtocol, FromPort, ToPort }: Ports): RuleMatch {
  const protocol = protocolOf(IpProtocol);
  if (protocol === 'icmp' || protocol === 'icmpv6') {
    return { protocol, fromPort: icmpNumber('FromPort', FromPort), toPort: icmpNumber('ToPort', ToPort) };
  }
  // Of other protocols EC2 matches all ports, whatever was said.
  if (protocol !== 'tcp' && protocol !== 'udp') return { protocol };
  if (FromPort === undefined || ToPort === undefined) {
    const parameter = FromPort === undefined ? 'FromPort' : 'ToPort';
    throw new CloudError('MissingParameter', `${parameter}: ${protocol} needs FromPort and ToPort, 0 to 65535`, {
      details: { parameter },
    });
  }
  if (FromPort < 0 || ToPort < FromPort) {
    throw bad('FromPort', `${FromPort} to ${ToPort} is no range of ports; it must be 0 to 65535, the lower first`);
  }
  return { protocol, fromPort: FromPort, toPort: ToPort };
}

function protocolOf(text: string): string {
  const named = PROTOCOLS.get(text.toLowerCase());
  if (named !== undefined) return named;
  if (/^(0|[1-9]\d{0,2})$/.test(text) && Number(text) <= 255) return text;
  throw bad(
    'IpProtocol',
    `there is no protocol ${JSON.stringify(text)}; there are tcp, udp, icmp, icmpv6, a number up to 255, and -1 for all`,
  );
}

function icmpNumber(parameter: string, value: number | undefined): number {
  if (value === undefined) return -1;
  if (value > 255) throw bad(parameter, `${value} is no type or code of ICMP; they are 0 to 255, and -1 for any`);
  return value;
}

/** The network as it is stored: without the bits behind its prefix. Errors: 'InvalidParameterValue'. */
export function ipv4Network(text: string): string {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const address = parseIpv4(match?.[1] ?? '');
  const prefix = Number(match?.[2] ?? '99');
  if (address === undefined || prefix > 32) {
    throw bad(
      'CidrIp',
      `${JSON.stringify(text)} is no IPv4 network; it must look like 10.0.0.0/8, and one address like 10.0.0.1/32`,
    );
  }
  const size = 2 ** (32 - prefix);
  return `${formatIpv4(address - (address % size))}/${prefix}`;
}

/** The same of IPv6, in the form of RFC 5952. */
export function ipv6Network(text: string): string {
  const match = /^([0-9a-fA-F:.]+)\/(\d{1,3})$/.exec(text);
  const groups = ipv6Groups(match?.[1] ?? '');
  const prefix = Number(match?.[2] ?? '999');
  if (groups === undefined || prefix > 128) {
    throw bad(
      'CidrIpv6',
      `${JSON.stringify(text)} is no IPv6 network; it must look like 2001:db8::/32, and one address like 2001:db8::1/128`,
    );
  }
  const kept = groups.map((group, index) => {
    const bits = Math.min(16, Math.max(0, prefix - index * 16));
    const size = 2 ** (16 - bits);
    return group - (group % size);
  });
  return `${ipv6Text(kept)}/${prefix}`;
}

/** Eight numbers of 16 bits, or undefined. */
function ipv6Groups(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':').flatMap(groupsOf)));
  if (head === undefined) return undefined;
  const all = [...head, ...(tail ?? [])];
  if (all.some((group) => Number.isNaN(group))) return undefined;
  if (tail === undefined) return all.length === 8 ? all : undefined;
  return all.length > 7 ? undefined : [...head, ...Array.from({ length: 8 - all.length }, () => 0), ...tail];
}

function groupsOf(part: string): number[] {
  if (part.includes('.')) {
    const address = parseIpv4(part);
    return address === undefined ? [Number.NaN] : [Math.floor(address / 65_536), address % 65_536];
  }
  return [/^[0-9a-fA-F]{1,4}$/.test(part) ? Number.parseInt(part, 16) : Number.NaN];
}

/** The longest run of two zero groups or more, the first of several, is left out. */
function ipv6Text(groups: readonly number[]): string {
  let at = -1;
  let longest = 1;
  for (let from = 0; from < groups.length; from += 1) {
    let length = 0;
    while (groups[from + length] === 0) length += 1;
    if (length > longest) [at, longest] = [from, length];
  }
  const hex = groups.map((group) => group.toString(16));
  if (at < 0) return hex.join(':');
  return `${hex.slice(0, at).join(':')}::${hex.slice(at + longest).join(':')}`;
}
