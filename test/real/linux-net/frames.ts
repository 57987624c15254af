import { parseIpv4 } from '../../../src/workers/drivers/linux-net/ipv4.ts';

const hex = (...parts: string[]): Buffer => Buffer.from(parts.join('').replaceAll(/[^0-9a-f]/g, ''), 'hex');
const u16 = (value: number): string => value.toString(16).padStart(4, '0');
const ip = (address: string): string => (parseIpv4(address) ?? 0).toString(16).padStart(8, '0');

const BROADCAST = 'ff:ff:ff:ff:ff:ff';

/** Ethernet II with what follows it, in hexadecimal. */
function ethernet(from: string, type: string, rest: string, to = BROADCAST): Buffer {
  return hex(to, from, type, rest);
}

/** RFC 826. */
function arp(operation: 'request' | 'reply', senderMac: string, sender: string, target: string): string {
  return `0001 0800 06 04 000${operation === 'request' ? 1 : 2} ${senderMac} ${ip(sender)} 000000000000 ${ip(target)}`;
}

/** IPv4 (RFC 791, its checksum right) with UDP (RFC 768, without one) and eight bytes. */
function udp(from: string, fromPort: number, to: string, toPort: number): string {
  const words = ['4500', u16(36), '0001', '0000', '4011', '0000', ip(from), ip(to)].join('');
  let sum = 0;
  for (let at = 0; at < words.length; at += 4) sum += Number.parseInt(words.slice(at, at + 4), 16);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  const header = `${words.slice(0, 20)}${u16(~sum & 0xffff)}${words.slice(24)}`;
  return `${header} ${u16(fromPort)} ${u16(toPort)} ${u16(16)} 0000 00 00 00 00 00 00 00 00`;
}

/** A router advertisement to all nodes (RFC 4861); nobody here gets far enough to check its checksum. */
const ROUTER_ADVERT = [
  '60000000 0010 3a ff',
  'fe800000 00000000 00000000 0000beef',
  'ff020000 00000000 00000000 00000001',
  '8600 0000 40 00 0708 00000000 00000000',
].join('');

interface Sender {
  readonly mac: string;
  readonly address: string;
  /** Another guest of the network, and its router. */
  readonly peer: string;
  readonly gateway: string;
}

export const MARKER_PORT = 4242;

/** A good frame that can be told from the others. */
export function markerFrame({ mac, address, peer }: Sender): Buffer {
  return ethernet(mac, '0800', udp(address, 1, peer, MARKER_PORT));
}

/** What a guest may put on the wire, by name. */
export function honestFrames({ mac, address, peer }: Sender): Record<string, Buffer> {
  return {
    'its own IPv4': ethernet(mac, '0800', udp(address, 1, peer, 9)),
    'its own ARP request': ethernet(mac, '0806', arp('request', mac, address, peer)),
    'its own ARP reply': ethernet(mac, '0806', arp('reply', mac, address, peer)),
    'an address probe': ethernet(mac, '0806', arp('request', mac, '0.0.0.0', address)),
    'a DHCP discover': ethernet(mac, '0800', udp('0.0.0.0', 68, '255.255.255.255', 67)),
  };
}

/** What it may not. */
export function falseFrames({ mac, address, peer, gateway }: Sender): Record<string, Buffer> {
  const otherMac = '02:16:3e:00:00:99';
  const good = udp(address, 1, peer, 9);
  return {
    'another MAC': ethernet(otherMac, '0800', good),
    "a neighbour's IPv4": ethernet(mac, '0800', udp(peer, 1, gateway, 9)),
    "the router's IPv4": ethernet(mac, '0800', udp(gateway, 1, peer, 9)),
    'no address, but not DHCP': ethernet(mac, '0800', udp('0.0.0.0', 68, '255.255.255.255', 69)),
    "a DHCP server's answer": ethernet(mac, '0800', udp(address, 67, '255.255.255.255', 68)),
    'ARP for the router': ethernet(mac, '0806', arp('reply', mac, gateway, peer)),
    'ARP for a neighbour': ethernet(mac, '0806', arp('request', mac, peer, gateway)),
    'ARP with another MAC inside': ethernet(mac, '0806', arp('request', otherMac, address, peer)),
    'an ARP reply for nobody': ethernet(mac, '0806', arp('reply', mac, '0.0.0.0', peer)),
    'good IPv4 in a VLAN tag': ethernet(mac, '8100', `0065 0800 ${good}`),
    'good IPv4 in a priority tag': ethernet(mac, '8100', `0000 0800 ${good}`),
    'good IPv4 in two tags': ethernet(mac, '88a8', `0065 8100 0066 0800 ${good}`),
    'an IPv6 router advertisement': ethernet(mac, '86dd', ROUTER_ADVERT, '33:33:00:00:00:01'),
    'a spanning tree message': ethernet(mac, '0026', `424203 ${'00'.repeat(35)}`, '01:80:c2:00:00:00'),
  };
}
