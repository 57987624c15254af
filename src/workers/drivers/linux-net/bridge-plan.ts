import { z } from 'zod';
import { CloudError } from '../../../base/errors.ts';
import type { NetworkSpec } from '../../../ports/network-backend.ts';
import { bridgeAlias } from './names.ts';
import { parseToolJson } from './run.ts';

/** A bridge as `ip` shows it. */
export interface BridgeState {
  readonly name: string;
  readonly index: number;
  readonly mac: string;
  readonly mtu: number;
  readonly up: boolean;
  readonly stp: boolean;
  readonly alias: string | undefined;
  /** IPv4 only: `10.200.3.1/24`. */
  readonly addresses: readonly string[];
}

const LINKS = z.array(
  z.object({
    ifname: z.string().optional(),
    ifindex: z.number().optional(),
    flags: z.array(z.string()).default([]),
    mtu: z.number().default(0),
    address: z.string().default(''),
    ifalias: z.string().optional(),
    linkinfo: z.object({ info_data: z.object({ stp_state: z.number().optional() }).optional() }).optional(),
    addr_info: z
      .array(
        z.object({ family: z.string().default(''), local: z.string().default(''), prefixlen: z.number().default(0) }),
      )
      .default([]),
  }),
);

function parseLinks(text: string): z.infer<typeof LINKS> {
  if (text.trim() === '') return [];
  const links = LINKS.safeParse(parseToolJson(text, 'ip -j'));
  if (links.success) return links.data;
  throw new CloudError('HostError', '`ip -j` answered in a shape that is not known here', { cause: links.error });
}

/** Reads `ip -j -d addr show type bridge`. Some iproute2 print an empty object for each link left out. */
export function parseBridges(text: string): BridgeState[] {
  return parseLinks(text).flatMap((link) => {
    if (link.ifname === undefined || link.ifindex === undefined) return [];
    const state: BridgeState = {
      name: link.ifname,
      index: link.ifindex,
      mac: link.address,
      mtu: link.mtu,
      up: link.flags.includes('UP'),
      stp: (link.linkinfo?.info_data?.stp_state ?? 0) !== 0,
      alias: link.ifalias,
      addresses: link.addr_info
        .filter((address) => address.family === 'inet')
        .map((address) => `${address.local}/${address.prefixlen}`),
    };
    return [state];
  });
}

/** Reads `ip -j link show [...]`: names alone. */
export function parseLinkNames(text: string): string[] {
  return parseLinks(text).flatMap((link) => (link.ifname === undefined ? [] : [link.ifname]));
}

/** The line for `ip -batch` that makes the bridge, still down. */
export function renderBridgeCreation(network: NetworkSpec): string {
  return `link add name ${network.bridge} address ${network.bridgeMac} type bridge stp_state 0 forward_delay 0\n`;
}

/**
 * The lines for `ip -batch` that are missing between what stands and what the spec wants; empty when nothing is.
 * Addresses of others on our bridge go: a bridge carries its gateway and nothing else.
 */
export function renderBridgeChanges(current: BridgeState, network: NetworkSpec): string {
  const { bridge } = network;
  const address = `${network.gateway}/${network.cidr.split('/')[1] ?? ''}`;
  const alias = bridgeAlias(network.networkId);
  const steps: readonly (readonly [needed: boolean, line: string])[] = [
    [current.alias !== alias, `link set dev ${bridge} alias ${alias}`],
    [current.mac !== network.bridgeMac, `link set dev ${bridge} address ${network.bridgeMac}`],
    [current.mtu !== network.mtu, `link set dev ${bridge} mtu ${network.mtu}`],
    [current.stp, `link set dev ${bridge} type bridge stp_state 0`],
    [!current.addresses.includes(address), `address add ${address} brd + dev ${bridge}`],
    ...current.addresses
      .filter((other) => other !== address)
      .map((other) => [true, `address del ${other} dev ${bridge}`] as const),
    [!current.up, `link set dev ${bridge} up`],
  ];
  return steps.flatMap(([needed, line]) => (needed ? [`${line}\n`] : [])).join('');
}
