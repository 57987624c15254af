import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { formatIpv4, gatewayOf, overlaps, parseCidr } from '../../domain/addressing.ts';
import { needCapability } from '../../domain/capabilities.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ClaimRecord, NetworkRecord, ReservationRecord } from '../../domain/records.ts';
import { networkIdOf, partId } from '../../domain/vpc-ids.ts';
import { SUBNETS_PER_VPC, type VpcRecord, type VpcSubnet } from '../../domain/vpcs.ts';
import { zonesOf } from '../instances/launch-place.ts';
import { newBridge } from '../networks/project-network.ts';
import { sightOf, subnetView } from '../networks/vpc-views.ts';
import { subnetOf } from '../networks/vpcs.ts';
import type { Draft } from '../state/draft.ts';
import { dropTags, putTags } from '../tags/resource-tags.ts';
import type { ChangeContext, ChangeHandler } from './handler.ts';
import { badParameter } from './handler.ts';
import { changeableVpc, keepChanged } from './vpcs.ts';

export const createSubnet: ChangeHandler<'CreateSubnet'> = {
  decide(draft, input, context) {
    const { cloud, nowMs, operationId, principal } = context;
    const { projectId } = principal;
    const vpc = changeableVpc(draft, context, input.VpcId, 'CreateSubnet');
    refuseRange(vpc, input.CidrBlock);
    const zone = knownZone(draft, context, input.AvailabilityZone);
    const networkId = newId('network', cloud.random);
    const subnet: VpcSubnet = { id: partId(networkId, 'subnet'), cidr: input.CidrBlock, zone };
    const network: NetworkRecord = {
      v: 1,
      id: networkId,
      projectId,
      cidr: subnet.cidr,
      gateway: gatewayOf(parseCidr(subnet.cidr)),
      ...newBridge(draft, projectId, cloud.random),
      createdAtMs: nowMs,
      vpcId: vpc.id,
      zone,
    };
    draft.put(KEYS.subnetNetwork(projectId, networkId), network);
    const changed = { ...vpc, subnets: [...vpc.subnets, subnet] };
    keepChanged(draft, context, changed);
    putTags(draft, { projectId, resourceId: subnet.id, kind: 'subnet' }, input.Tags ?? {});
    return {
      output: { subnet: subnetView(sightOf(draft, context), changed, subnet), operationId },
      targets: [subnet.id],
    };
  },
};

function refuseRange(vpc: VpcRecord, cidr: string): void {
  const parameter = { details: { parameter: 'CidrBlock' } };
  const asked = parseCidr(cidr);
  const whole = parseCidr(vpc.cidr);
  if (asked.prefix < 16 || asked.prefix > 28) {
    throw new CloudError('InvalidSubnet.Range', `CidrBlock: ${cidr} must be between a /16 and a /28`, parameter);
  }
  if (asked.prefix < whole.prefix || !overlaps(whole, asked)) {
    const last = formatIpv4(whole.base + whole.size - 1);
    throw new CloudError(
      'InvalidSubnet.Range',
      `CidrBlock: ${cidr} is not in ${vpc.cidr} of ${vpc.id}, which ends with ${last}`,
      parameter,
    );
  }
  const other = vpc.subnets.find((subnet) => overlaps(parseCidr(subnet.cidr), asked));
  if (other !== undefined) {
    throw new CloudError(
      'InvalidSubnet.Conflict',
      `CidrBlock: ${cidr} overlaps ${other.cidr} of ${other.id}; choose what no other subnet has`,
      parameter,
    );
  }
  if (vpc.subnets.length >= SUBNETS_PER_VPC) {
    throw new CloudError('SubnetLimitExceeded', `VpcId: a VPC may have ${SUBNETS_PER_VPC} subnets; delete one first`);
  }
}

/** A zone of the region, or the one that the project's own network is in. */
function knownZone(draft: Draft, { cloud, principal }: ChangeContext, zone: string | undefined): string {
  const zones = principal.zones ?? zonesOf(draft, cloud.policy.zone);
  const [first = cloud.policy.zone] = zones;
  if (zone === undefined) return zones.includes(cloud.policy.zone) ? cloud.policy.zone : first;
  if (zones.includes(zone)) return zone;
  throw badParameter('AvailabilityZone', `there is no zone ${zone}; there are: ${zones.join(', ')}`);
}

export const deleteSubnet: ChangeHandler<'DeleteSubnet'> = {
  settled: true,
  decide(draft, input, context) {
    const { cloud, operationId, principal } = context;
    const { projectId } = principal;
    needCapability(cloud.policy.capabilities, 'networks', 'DeleteSubnet');
    const { vpc, subnet } = subnetOf(draft, { cloud, projectId }, input.SubnetId);
    const networkId = networkIdOf(subnet.id);
    const key = KEYS.subnetNetwork(projectId, networkId);
    const network = draft.get<NetworkRecord>(key);
    if (network === undefined) {
      throw new CloudError(
        'OperationNotPermitted',
        `SubnetId: ${subnet.id} is the project's own network, which goes with the project`,
        {
          details: { parameter: 'SubnetId' },
        },
      );
    }
    // Whoever starts an instance in it meanwhile writes this key.
    draft.get(KEYS.networkUse(projectId));
    refuseUsed(draft, subnet.id, networkId);
    keepChanged(draft, context, {
      ...vpc,
      subnets: vpc.subnets.filter(({ id }) => id !== subnet.id),
      routeTables: vpc.routeTables.map((table) => ({
        ...table,
        associations: table.associations.filter((one) => one.subnetId !== subnet.id),
      })),
    });
    draft.del(key);
    for (const claim of [KEYS.interfaceName(network.bridge), KEYS.mac(network.bridgeMac)]) {
      if (draft.get<ClaimRecord>(claim)?.owner === projectId) draft.del(claim);
    }
    dropTags(draft, subnet.id);
    return { output: { subnetId: subnet.id, operationId }, targets: [subnet.id] };
  },
};

/** Instances that are there, and those that a reservation is still to make. */
function refuseUsed(draft: Draft, subnetId: string, networkId: string): void {
  const { replica } = draft;
  const instance = replica
    .range<InstanceRecord>(PREFIX.instance)
    .find(({ value }) => value.state !== 'terminated' && value.nic.networkId === networkId);
  const coming = replica
    .range<ReservationRecord>(PREFIX.reservation)
    .find(({ value }) => value.remaining?.template.networkId === networkId);
  const user = instance?.value.id ?? coming?.value.id;
  if (user === undefined) return;
  throw new CloudError('DependencyViolation', `SubnetId: ${user} is in ${subnetId}; terminate it first`, {
    details: { parameter: 'SubnetId', user },
  });
}
