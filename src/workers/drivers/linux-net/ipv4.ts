/** An IPv4 network in numbers: addresses are unsigned 32-bit integers. */
export interface Subnet {
  readonly network: number;
  readonly prefix: number;
  readonly broadcast: number;
}

/** Dotted decimal -> number; undefined when it is not exactly that (no leading zeros, no short forms). */
export function parseIpv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0;
  for (const part of match.slice(1)) {
    const byte = Number(part);
    if (byte > 255 || String(byte) !== part) return undefined;
    value = value * 256 + byte;
  }
  return value;
}

export function formatIpv4(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join('.');
}

/** `10.200.3.0/24` -> its bounds; undefined when malformed, with host bits set, or too small for a router and a guest (/30 is the smallest). */
export function parseSubnet(text: string): Subnet | undefined {
  const [addressText = '', prefixText = '', ...rest] = text.split('/');
  const address = parseIpv4(addressText);
  const prefix = /^\d{1,2}$/.test(prefixText) ? Number(prefixText) : Number.NaN;
  if (address === undefined || rest.length > 0 || !(prefix >= 8 && prefix <= 30)) return undefined;
  const size = 2 ** (32 - prefix);
  if (address % size !== 0) return undefined;
  return { network: address, prefix, broadcast: address + size - 1 };
}

export function netmask(prefix: number): string {
  return formatIpv4(2 ** 32 - 2 ** (32 - prefix));
}

/** True for an address that a guest or the router may have: inside, and neither the network's nor the broadcast address. */
export function isHostAddress(subnet: Subnet, address: number): boolean {
  return address > subnet.network && address < subnet.broadcast;
}
