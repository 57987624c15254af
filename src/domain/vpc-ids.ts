import { ID_PREFIX } from '../base/ids.ts';

/** What EC2 shows of a network beside the network itself: each has one of each, made and gone with it. */
export type NetworkPart = 'vpc' | 'subnet' | 'routeTable' | 'internetGateway' | 'dhcpOptions' | 'networkAcl';

/** The id of a part of a network: the network's own 17 hex digits behind EC2's prefix, so that nothing has to be stored for it. */
export function partId(networkId: string, part: NetworkPart): string {
  return `${ID_PREFIX[part]}-${hexOf(networkId)}`;
}

/** The network whose part has this id (which need not exist). */
export function networkIdOf(id: string): string {
  return `${ID_PREFIX.network}-${hexOf(id)}`;
}

/** The id of an instance's only interface. */
export function interfaceId(instanceId: string): string {
  return `${ID_PREFIX.networkInterface}-${hexOf(instanceId)}`;
}

function hexOf(id: string): string {
  return id.slice(id.lastIndexOf('-') + 1);
}
