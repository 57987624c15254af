import { createHash, hash } from 'node:crypto';
import type { Random } from './random.ts';
import { randomHex } from './random.ts';

/** EC2's prefixes, and ours for what EC2 has no word for. */
export const ID_PREFIX = {
  instance: 'i',
  reservation: 'r',
  image: 'ami',
  kernel: 'aki',
  ramdisk: 'ari',
  volume: 'vol',
  keyPair: 'key',
  network: 'net',
  host: 'h',
  operation: 'op',
  cloud: 'cloud',
  blob: 'blob',
  snapshot: 'snap',
  securityGroup: 'sg',
  securityGroupRule: 'sgr',
  allocation: 'eipalloc',
  association: 'eipassoc',
  vpc: 'vpc',
  subnet: 'subnet',
  networkInterface: 'eni',
  routeTable: 'rtb',
  routeTableAssociation: 'rtbassoc',
  internetGateway: 'igw',
  dhcpOptions: 'dopt',
  networkAcl: 'acl',
  networkAclAssociation: 'aclassoc',
} as const;

export type IdKind = keyof typeof ID_PREFIX;

/** `i-` and 17 hex digits, as EC2 writes ids. */
export function newId(kind: IdKind, random: Random): string {
  return `${ID_PREFIX[kind]}-${randomHex(random, 17)}`;
}

export function isId(kind: IdKind, text: string): boolean {
  return new RegExp(`^${ID_PREFIX[kind]}-[0-9a-f]{17}$`).test(text);
}

/** A UUID (version 5 layout) that depends on the given words alone. */
export function uuidFrom(...words: string[]): string {
  const bytes = createHash('sha1').update(words.join('\0')).digest();
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}

/** Lower-case hex SHA-256 of text or bytes. */
export function sha256Hex(data: string | Buffer): string {
  return hash('sha256', data, 'hex');
}
