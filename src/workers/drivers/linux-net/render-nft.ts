import type { NetworkSpec, PortSpec } from '../../../ports/network-backend.ts';
import { formatIpv4, parseSubnet } from './ipv4.ts';
import { BRIDGE_PREFIX, guardChain, METADATA_ADDRESS, METADATA_PORT, TABLES } from './names.ts';

const FILTER = `${TABLES.filter.family} ${TABLES.filter.name}`;
const NAT = `${TABLES.nat.family} ${TABLES.nat.name}`;
const GUARD = `${TABLES.guard.family} ${TABLES.guard.name}`;
const ANY_BRIDGE = `"${BRIDGE_PREFIX}*"`;

interface ChainPlan {
  readonly name: string;
  /** Of a base chain. */
  readonly hook?: string;
  readonly rules: readonly string[];
}

/**
 * Per-network rules hang in chains of their own (`<stage>_<bridge>`), reached by one lookup of the bridge's name in the stage's
 * map: a packet costs the same with one network and with a hundred, and a network's rules are replaced without a look at another's.
 */
interface Stage {
  readonly table: string;
  readonly stage: string;
  readonly rules: (network: NetworkSpec) => readonly string[];
}

const METADATA_FLOW = `ip daddr ${METADATA_ADDRESS} tcp dport ${METADATA_PORT}`;

function edges(network: NetworkSpec): string {
  const subnet = parseSubnet(network.cidr);
  if (subnet === undefined) return network.gateway;
  return [formatIpv4(subnet.network), network.gateway, formatIpv4(subnet.broadcast)].join(', ');
}

const STAGES: readonly Stage[] = [
  {
    table: FILTER,
    stage: 'source',
    // The tap's guard binds a guest to its own address; this holds also before the guard stands.
    rules: (network) => [`ip saddr { ${edges(network)} } drop`, `ip saddr ${network.cidr} accept`],
  },
  {
    table: FILTER,
    stage: 'input',
    rules: (network) => [
      `ip daddr { 255.255.255.255, ${network.gateway} } udp sport 68 udp dport 67 accept`,
      `ip daddr ${network.gateway} meta l4proto { tcp, udp } th dport 53 accept`,
      `ip daddr ${network.gateway} icmp type echo-request accept`,
      ...(network.metadata === undefined
        ? []
        : [
            // What was translated on its way in, and nothing that was sent to the service's own address.
            `meta l4proto tcp ct status dnat ct original ip daddr ${METADATA_ADDRESS} ct original proto-dst ${METADATA_PORT} accept`,
          ]),
    ],
  },
  { table: FILTER, stage: 'forward', rules: (network) => [`oifname "${network.bridge}" accept`] },
  {
    table: NAT,
    stage: 'dnat',
    rules: (network) =>
      network.metadata === undefined
        ? []
        : [`${METADATA_FLOW} dnat to ${network.metadata.address}:${network.metadata.port}`],
  },
  {
    table: NAT,
    stage: 'snat',
    rules: (network) => [`oifname != ${ANY_BRIDGE} ip saddr ${network.cidr} masquerade`],
  },
];

const BASE_CHAINS: Readonly<Record<string, readonly ChainPlan[]>> = {
  [FILTER]: [
    {
      name: 'guest_source',
      rules: [
        'meta nfproto ipv6 drop',
        // route_localnet is on for our bridges: this keeps the host's loopback services from the guests. It stands before
        // destination NAT, so that the metadata flow still has the metadata address here.
        'ip daddr 127.0.0.0/8 drop',
        'ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept',
        'iifname vmap @source_by_bridge',
        'drop',
      ],
    },
    { name: 'guest_input', rules: ['ct state established,related accept', 'iifname vmap @input_by_bridge', 'drop'] },
    {
      name: 'guest_forward',
      rules: [
        'iifname vmap @forward_by_bridge',
        `oifname ${ANY_BRIDGE} drop`,
        // A host may itself be an instance of a cloud: its own metadata service is not for our guests.
        'ip daddr 169.254.0.0/16 drop',
        'accept',
      ],
    },
    { name: 'toward_guest', rules: ['ct state established,related accept', 'ct status dnat accept', 'drop'] },
    {
      name: 'prerouting',
      hook: 'type filter hook prerouting priority raw; policy accept;',
      rules: [`iifname ${ANY_BRIDGE} jump guest_source`],
    },
    {
      name: 'input',
      hook: 'type filter hook input priority filter; policy accept;',
      rules: [`iifname ${ANY_BRIDGE} jump guest_input`],
    },
    {
      name: 'forward',
      hook: 'type filter hook forward priority filter; policy accept;',
      rules: [`iifname ${ANY_BRIDGE} jump guest_forward`, `oifname ${ANY_BRIDGE} jump toward_guest`],
    },
  ],
  [NAT]: [
    {
      name: 'prerouting',
      hook: 'type nat hook prerouting priority dstnat; policy accept;',
      rules: ['iifname vmap @dnat_by_bridge'],
    },
    {
      name: 'postrouting',
      hook: 'type nat hook postrouting priority srcnat; policy accept;',
      rules: ['iifname vmap @snat_by_bridge'],
    },
  ],
};

const mapOf = (stage: Stage): string => `${stage.stage}_by_bridge`;
const chainOf = (stage: Stage, bridge: string): string => `${stage.stage}_${bridge}`;
const element = (stage: Stage, bridge: string): string =>
  `${stage.table} ${mapOf(stage)} { "${bridge}" : jump ${chainOf(stage, bridge)} }`;

/** Tables, maps and chains: adding what stands changes nothing. */
function renderFrame(): string[] {
  const lines: string[] = [];
  for (const [table, chains] of Object.entries(BASE_CHAINS)) {
    lines.push(`add table ${table}`);
    for (const stage of STAGES.filter((item) => item.table === table)) {
      lines.push(`add map ${table} ${mapOf(stage)} { type ifname : verdict; }`);
    }
    for (const { name, hook } of chains) {
      lines.push(`add chain ${table} ${name}${hook === undefined ? '' : ` { ${hook} }`}`);
    }
  }
  return lines;
}

function renderBaseRules(): string[] {
  return Object.entries(BASE_CHAINS).flatMap(([table, chains]) =>
    chains.flatMap(({ name, rules }) => [
      `flush chain ${table} ${name}`,
      ...rules.map((rule) => `add rule ${table} ${name} ${rule}`),
    ]),
  );
}

const script = (lines: readonly string[]): string => `${lines.join('\n')}\n`;

/**
 * One transaction that makes the common rules and this network's stand, whatever stood before: run twice it changes nothing,
 * and no packet sees a half of it. The spec must have passed checkNetwork.
 */
export function renderNetworkRules(network: NetworkSpec): string {
  const lines = [...renderFrame(), ...renderBaseRules()];
  for (const stage of STAGES) {
    const chain = chainOf(stage, network.bridge);
    lines.push(`add chain ${stage.table} ${chain}`, `flush chain ${stage.table} ${chain}`);
    for (const rule of stage.rules(network)) lines.push(`add rule ${stage.table} ${chain} ${rule}`);
    lines.push(`add element ${element(stage, network.bridge)}`);
  }
  return script(lines);
}

/**
 * One transaction that takes a network's rules away and leaves the others'. Each thing is added first, since nft refuses to delete
 * what is absent; the frame comes first for the same reason.
 */
export function renderNetworkRemoval(bridge: string): string {
  const lines = renderFrame();
  for (const stage of STAGES) {
    const chain = chainOf(stage, bridge);
    lines.push(
      `add chain ${stage.table} ${chain}`,
      `add element ${element(stage, bridge)}`,
      `delete element ${element(stage, bridge)}`,
      `flush chain ${stage.table} ${chain}`,
      `delete chain ${stage.table} ${chain}`,
    );
  }
  return script(lines);
}

/** One transaction that takes all our tables away. */
export function renderTablesRemoval(): string {
  return script([FILTER, NAT, GUARD].flatMap((table) => [`add table ${table}`, `delete table ${table}`]));
}

/**
 * One transaction that puts (or puts anew) the guard on a tap: what comes out of the guest must bear its own MAC and address.
 * Everything but ARP and IPv4 is dropped: no IPv6 (nothing here hands it out or filters it), no VLAN tags, no spanning tree.
 * `ether type` is read from the frame as sent, so that a tagged frame matches none of the accepting rules.
 *
 * The chain is replaced as a whole: a tap that went and came back under its name has left a chain without a hook on some kernels,
 * one with a sleeping hook on others, and none on the rest.
 */
export function renderPortGuard(port: PortSpec): string {
  const chain = `${GUARD} ${guardChain(port.tap)}`;
  const arp = 'ether type arp arp htype 1 arp ptype ip arp hlen 6 arp plen 4';
  return script([
    `add table ${GUARD}`,
    `add chain ${chain}`,
    `flush chain ${chain}`,
    `delete chain ${chain}`,
    `add chain ${chain} { type filter hook ingress device "${port.tap}" priority filter; policy drop; }`,
    `add rule ${chain} ether saddr != ${port.mac} drop`,
    `add rule ${chain} ${arp} arp saddr ether ${port.mac} arp saddr ip ${port.address} accept`,
    // An address probe (RFC 5227) has no sender address yet.
    `add rule ${chain} ${arp} arp operation request arp saddr ether ${port.mac} arp saddr ip 0.0.0.0 accept`,
    `add rule ${chain} ether type ip udp sport 67 drop`,
    `add rule ${chain} ether type ip ip saddr ${port.address} accept`,
    `add rule ${chain} ether type ip ip saddr 0.0.0.0 ip daddr 255.255.255.255 udp sport 68 udp dport 67 accept`,
  ]);
}

/** Takes away a guard that is known to stand (the device may be gone: then the chain alone is left). */
export function renderPortGuardRemoval(tap: string): string {
  const chain = `${GUARD} ${guardChain(tap)}`;
  return script([`flush chain ${chain}`, `delete chain ${chain}`]);
}
