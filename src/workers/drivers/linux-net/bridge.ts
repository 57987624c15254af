import { CloudError } from '../../../base/errors.ts';
import type { HostShell } from '../../../ports/host-shell.ts';
import type { NetworkSpec } from '../../../ports/network-backend.ts';
import type { BridgeState } from './bridge-plan.ts';
import { parseBridges, parseLinkNames, renderBridgeChanges, renderBridgeCreation } from './bridge-plan.ts';
import { BRIDGE_PREFIX, bridgeAlias, TAP_PREFIX } from './names.ts';
import { run } from './run.ts';

const SHOW_BRIDGES = ['ip', '-j', '-d', 'addr', 'show', 'type', 'bridge'];
const BATCH = ['ip', '-batch', '-'];

/** Every bridge of ours on the host. */
export async function listBridges(shell: HostShell): Promise<BridgeState[]> {
  const bridges = parseBridges(await run(shell, SHOW_BRIDGES));
  return bridges.filter((bridge) => bridge.name.startsWith(BRIDGE_PREFIX));
}

async function findBridge(shell: HostShell, name: string): Promise<BridgeState | undefined> {
  return (await listBridges(shell)).find((bridge) => bridge.name === name);
}

/** A bridge that carries another network's mark is that network's, whatever our caller believes. */
function refuseStranger(shell: HostShell, current: BridgeState, networkId: string): void {
  if (current.alias === undefined || current.alias === bridgeAlias(networkId)) return;
  throw new CloudError(
    'Conflict',
    `bridge ${current.name} on host ${shell.name} belongs to ${current.alias}, not to ${networkId}; remove that network from the host first`,
    { details: { bridge: current.name, alias: current.alias, networkId } },
  );
}

/**
 * Kernel settings of one bridge. route_localnet lets the metadata flow reach a service on loopback (the rules drop all else to
 * 127/8); there is no IPv6 of ours, so the host takes none from guests either: no router adverts, no link-local address.
 */
function bridgeSysctls(bridge: string): string[] {
  return [
    `net.ipv4.conf.${bridge}.route_localnet=1`,
    `net.ipv4.conf.${bridge}.accept_redirects=0`,
    `net.ipv4.conf.${bridge}.send_redirects=0`,
    `net.ipv6.conf.${bridge}.disable_ipv6=1`,
    `net.ipv6.conf.${bridge}.accept_ra=0`,
    `net.ipv6.conf.${bridge}.autoconf=0`,
  ];
}

/** The bridge, made if there is none. CloudError 'Conflict' when it is another network's. */
export async function findOrMakeBridge(shell: HostShell, network: NetworkSpec): Promise<BridgeState> {
  let current = await findBridge(shell, network.bridge);
  if (current === undefined) {
    await run(shell, BATCH, { stdin: renderBridgeCreation(network) });
    current = await findBridge(shell, network.bridge);
  }
  if (current === undefined) {
    throw new CloudError(
      'HostError',
      `bridge ${network.bridge} is gone from host ${shell.name} right after it was made`,
    );
  }
  refuseStranger(shell, current, network.networkId);
  return current;
}

/** Makes a bridge that was just found stand as the spec says. */
export async function settleBridge(shell: HostShell, current: BridgeState, network: NetworkSpec): Promise<void> {
  // Before the bridge comes up, so that it never speaks IPv6. -e: a kernel without IPv6 has no such settings.
  await run(shell, ['sysctl', '-e', '-q', '-w', ...bridgeSysctls(network.bridge)]);
  const changes = renderBridgeChanges(current, network);
  if (changes !== '') await run(shell, BATCH, { stdin: changes });
}

/** CloudError 'Busy' while a tap is in the bridge, 'Conflict' when the bridge is another network's. Absent is fine. */
export async function refuseBusyBridge(shell: HostShell, networkId: string, bridge: string): Promise<void> {
  const current = await findBridge(shell, bridge);
  if (current === undefined) return;
  refuseStranger(shell, current, networkId);
  const members = parseLinkNames(await run(shell, ['ip', '-j', 'link', 'show', 'master', bridge]));
  const taps = members.filter((name) => name.startsWith(TAP_PREFIX));
  if (taps.length === 0) return;
  throw new CloudError(
    'Busy',
    `bridge ${bridge} on host ${shell.name} still has ${taps.length} guest(s): ${taps.slice(0, 5).join(', ')}; stop them first`,
    { details: { bridge, taps } },
  );
}

/** Absent is success. */
export async function removeBridge(shell: HostShell, bridge: string): Promise<void> {
  if ((await findBridge(shell, bridge)) === undefined) return;
  await run(shell, ['ip', 'link', 'delete', 'dev', bridge, 'type', 'bridge']);
}
