import type { InstanceRecord } from './instance.ts';
import { KEYS, PREFIX } from './keys.ts';
import type { ClaimRecord, NetworkRecord } from './records.ts';
import { defaultGroupId, type GroupNameRecord, referencedGroups, type SecurityGroupRecord } from './security-groups.ts';
import { networkIdOf, partId } from './vpc-ids.ts';
import type { InternetGatewayRecord, VpcRecord } from './vpcs.ts';

type ByKey = ReadonlyMap<string, unknown>;
type Found = (text: string) => void;

function valuesOf<T>(byKey: ByKey, prefix: string): T[] {
  return [...byKey].filter(([key]) => key.startsWith(prefix)).map(([, value]) => value as T);
}

/** The key of the network that a nic is in. */
export function networkKeyOf(byKey: ByKey, projectId: string, networkId: string): string {
  const key = KEYS.subnetNetwork(projectId, networkId);
  return byKey.has(key) ? key : KEYS.network(projectId);
}

/** What does not add up among networks, VPCs, internet gateways and security groups. */
export function checkNetworks(byKey: ByKey, live: readonly InstanceRecord[], found: Found): void {
  for (const network of valuesOf<NetworkRecord>(byKey, PREFIX.network)) checkNetwork(byKey, network, found);
  for (const vpc of valuesOf<VpcRecord>(byKey, PREFIX.vpc)) checkVpc(byKey, vpc, found);
  for (const { id, projectId, vpcId } of valuesOf<InternetGatewayRecord>(byKey, PREFIX.internetGateway)) {
    const vpc = vpcId === undefined ? undefined : (byKey.get(KEYS.vpc(projectId, vpcId)) as VpcRecord | undefined);
    if (vpcId !== undefined && vpc?.internetGatewayId !== id) {
      found(`internet-gateway/${projectId}/${id}: ${vpcId}, to which it is attached, does not have it`);
    }
  }
  for (const group of valuesOf<SecurityGroupRecord>(byKey, PREFIX.securityGroup)) checkGroup(byKey, group, found);
  checkGroupNames(byKey, found);
  for (const { id, projectId, groupIds } of live) {
    for (const groupId of groupIds ?? []) {
      if (!isGroup(byKey, projectId, groupId)) found(`instance/${id}: its group ${groupId} is not there`);
    }
  }
}

function checkNetwork(
  byKey: ByKey,
  { id, projectId, cidr, bridge, bridgeMac, vpcId }: NetworkRecord,
  found: Found,
): void {
  const claims = [KEYS.interfaceName(bridge), KEYS.mac(bridgeMac), ...(vpcId === undefined ? [KEYS.subnet(cidr)] : [])];
  for (const key of claims) {
    const owner = (byKey.get(key) as ClaimRecord | undefined)?.owner;
    if (owner !== projectId) found(`network/${projectId} (${id}): ${key} belongs to ${owner ?? 'nobody'}`);
  }
  if (vpcId === undefined) return;
  const vpc = byKey.get(KEYS.vpc(projectId, vpcId)) as VpcRecord | undefined;
  if (vpc?.subnets.some((subnet) => subnet.id === partId(id, 'subnet')) !== true) {
    found(`network/${projectId}/${id}: ${vpcId} has no such subnet`);
  }
}

function checkVpc(byKey: ByKey, vpc: VpcRecord, found: Found): void {
  const { id, projectId, routeTables, isDefault } = vpc;
  const at = `vpc/${projectId}/${id}`;
  if (isDefault === true) {
    const network = byKey.get(KEYS.network(projectId)) as NetworkRecord | undefined;
    if (network?.id !== networkIdOf(id)) found(`${at}: the project's first network is another`);
  }
  if (routeTables.filter(({ isMain }) => isMain === true).length !== 1) found(`${at}: it has not one main route table`);
  checkSubnets(byKey, vpc, at, found);
  const { internetGatewayId } = vpc;
  const isOwnGateway = isDefault === true && internetGatewayId === partId(id, 'internetGateway');
  if (internetGatewayId === undefined || isOwnGateway) return;
  const gateway = byKey.get(KEYS.internetGateway(projectId, internetGatewayId)) as InternetGatewayRecord | undefined;
  if (gateway?.vpcId !== id) found(`${at}: ${internetGatewayId} is not attached to it`);
}

function checkSubnets(byKey: ByKey, vpc: VpcRecord, at: string, found: Found): void {
  const { id, projectId, subnets, routeTables, isDefault } = vpc;
  for (const subnet of subnets) {
    const networkId = networkIdOf(subnet.id);
    const isOwn = isDefault === true && networkId === networkIdOf(id);
    if (!isOwn && !byKey.has(KEYS.subnetNetwork(projectId, networkId))) found(`${at}: ${subnet.id} has no network`);
  }
  for (const { subnetId } of routeTables.flatMap(({ associations }) => associations)) {
    const isThere = subnets.some((subnet) => subnet.id === subnetId);
    if (!isThere) found(`${at}: a route table is of ${subnetId}, which it has not`);
  }
}

function isGroup(byKey: ByKey, projectId: string, groupId: string): boolean {
  if (byKey.has(KEYS.securityGroup(projectId, groupId))) return true;
  // The default one of a VPC needs no record.
  const network = byKey.get(KEYS.network(projectId)) as NetworkRecord | undefined;
  if (network !== undefined && defaultGroupId(network.id) === groupId) return true;
  return valuesOf<VpcRecord>(byKey, `${PREFIX.vpc}${projectId}/`).some(({ id }) => defaultGroupId(id) === groupId);
}

function checkGroup(byKey: ByKey, group: SecurityGroupRecord, found: Found): void {
  const { id, projectId, vpcId, name, isDefault, rules } = group;
  const at = `security-group/${projectId}/${id}`;
  const network = byKey.get(KEYS.network(projectId)) as NetworkRecord | undefined;
  const hasVpc = byKey.has(KEYS.vpc(projectId, vpcId)) || network?.id === networkIdOf(vpcId);
  if (!hasVpc) found(`${at}: its ${vpcId} is not there`);
  const named = byKey.get(KEYS.securityGroupName(vpcId, name)) as GroupNameRecord | undefined;
  if (isDefault !== true && named?.groupId !== id)
    found(`${at}: its name ${name} leads to ${named?.groupId ?? 'nothing'}`);
  for (const other of referencedGroups(rules)) {
    if (!isGroup(byKey, projectId, other)) found(`${at}: a rule names ${other}, which is not there`);
  }
}

function checkGroupNames(byKey: ByKey, found: Found): void {
  const groups = new Set(valuesOf<SecurityGroupRecord>(byKey, PREFIX.securityGroup).map(({ id }) => id));
  for (const [key, value] of byKey) {
    if (!key.startsWith('security-group-name/')) continue;
    const { groupId } = value as GroupNameRecord;
    if (!groups.has(groupId)) found(`${key} leads to ${groupId}, which is not there`);
  }
}
