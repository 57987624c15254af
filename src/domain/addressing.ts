import { CloudError } from '../base/errors.ts';

/** An IPv4 network as numbers. */
export interface Cidr {
  readonly base: number;
  readonly prefix: number;
  readonly size: number;
}

export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    value = value * 256 + Number(part);
  }
  return value;
}

export function formatIpv4(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.');
}

/** CloudError 'InvalidParameterValue' when the text is no IPv4 network, or has host bits set. */
export function parseCidr(text: string): Cidr {
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const base = parseIpv4(match?.[1] ?? '');
  const prefix = Number(match?.[2] ?? '99');
  if (base === undefined || prefix > 32) {
    throw new CloudError('InvalidParameterValue', `"${text}" is no IPv4 network; it must look like 10.200.0.0/13`);
  }
  const size = 2 ** (32 - prefix);
  if (base % size !== 0) {
    throw new CloudError(
      'InvalidParameterValue',
      `"${text}" has bits set behind its /${prefix}; the network is ${formatIpv4(base - (base % size))}/${prefix}`,
    );
  }
  return { base, prefix, size };
}

export function contains(network: Cidr, address: number): boolean {
  return address >= network.base && address < network.base + network.size;
}

export function overlaps(a: Cidr, b: Cidr): boolean {
  return a.base < b.base + b.size && b.base < a.base + a.size;
}

/** How many subnets of the given prefix a range holds. */
export function subnetCount(range: Cidr, prefix: number): number {
  return prefix < range.prefix ? 0 : 2 ** (prefix - range.prefix);
}

export function subnetAt(range: Cidr, prefix: number, index: number): string {
  return `${formatIpv4(range.base + index * 2 ** (32 - prefix))}/${prefix}`;
}

/** The first host address: the bridge's own. */
export function gatewayOf(network: Cidr): string {
  return formatIpv4(network.base + 1);
}

/**
 * Addresses that instances may get, as offsets: .2 on; the last but one is left to the project's services, the last is broadcast.
 * Returns the range of offsets [first, end).
 */
export function guestOffsets(network: Cidr): { first: number; end: number } {
  return { first: 2, end: network.size - 2 };
}

/** Locally administered unicast MAC: 02:16:3e and three bytes of chance. */
export function macFrom(hex6: string): string {
  return `02:16:3e:${hex6.slice(0, 2)}:${hex6.slice(2, 4)}:${hex6.slice(4, 6)}`;
}

/** Interface names hold 15 bytes: `nvt` + 11 hex of the instance id. */
export function tapName(instanceId: string): string {
  return `nvt${instanceId.slice(2, 13)}`;
}

export function privateDnsName(address: string, domain: string): string {
  return `${hostnameOf(address)}.${domain}`;
}

/** `ip-10-200-0-5`, as EC2 names guests. */
export function hostnameOf(address: string): string {
  return `ip-${address.replaceAll('.', '-')}`;
}
