import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { parseCidr } from '../../domain/addressing.ts';
import { needCapability } from '../../domain/capabilities.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import { defaultGroupId, type SecurityGroupRecord } from '../../domain/security-groups.ts';
import { partId } from '../../domain/vpc-ids.ts';
import { type VpcRecord, VPCS_PER_PROJECT } from '../../domain/vpcs.ts';
import { useNetworks } from '../networks/security-groups.ts';
import { vpcView } from '../networks/vpc-views.ts';
import { firstVpc, keepVpc, subnetOf, vpcOf } from '../networks/vpcs.ts';
import type { Draft } from '../state/draft.ts';
import { dropTags, putTags } from '../tags/resource-tags.ts';
import type { ChangeContext, ChangeHandler } from './handler.ts';
import { badParameter } from './handler.ts';

export const createVpc: ChangeHandler<'CreateVpc'> = {
  decide(draft, input, { cloud, nowMs, operationId, principal }) {
    const { projectId } = principal;
    needCapability(cloud.policy.capabilities, 'networks', 'CreateVpc');
    const { prefix } = parseCidr(input.CidrBlock);
    if (prefix < 16 || prefix > 28) {
      throw new CloudError('InvalidVpc.Range', `CidrBlock: ${input.CidrBlock} must be between a /16 and a /28`, {
        details: { parameter: 'CidrBlock' },
      });
    }
    if (draft.replica.count(`${PREFIX.vpc}${projectId}/`) >= VPCS_PER_PROJECT) {
      throw new CloudError('VpcLimitExceeded', `a project may have ${VPCS_PER_PROJECT} VPCs; delete one first`);
    }
    const vpc: VpcRecord = {
      v: 1,
      id: newId('vpc', cloud.random),
      projectId,
      cidr: input.CidrBlock,
      subnets: [],
      routeTables: [{ id: newId('routeTable', cloud.random), isMain: true, routes: [], associations: [] }],
      createdAtMs: nowMs,
    };
    draft.put(KEYS.vpc(projectId, vpc.id), vpc);
    putTags(draft, { projectId, resourceId: vpc.id, kind: 'vpc' }, input.Tags ?? {});
    return { output: { vpc: vpcView({ draft, cloud, projectId }, vpc), operationId }, targets: [vpc.id] };
  },
};

export const createDefaultVpc: ChangeHandler<'CreateDefaultVpc'> = {
  decide(draft, _input, { cloud, nowMs, operationId, principal }) {
    const { projectId } = principal;
    const vpc = firstVpc(draft, cloud, projectId);
    if (vpc === undefined) throw badParameter('VpcId', 'no subnet is left for another network; see network.fixedRange');
    if (vpc.createdAtMs !== 0) {
      throw new CloudError('DefaultVpcAlreadyExists', `project ${projectId} has its default VPC already: ${vpc.id}`);
    }
    const made = keepVpc(draft, cloud, vpc, nowMs);
    return { output: { vpc: vpcView({ draft, cloud, projectId }, made), operationId }, targets: [vpc.id] };
  },
};

export const deleteVpc: ChangeHandler<'DeleteVpc'> = {
  settled: true,
  decide(draft, input, context) {
    const { operationId, principal } = context;
    const { projectId } = principal;
    const vpc = changeableVpc(draft, context, input.VpcId, 'DeleteVpc');
    if (vpc.isDefault === true) {
      throw new CloudError(
        'OperationNotPermitted',
        `VpcId: ${vpc.id} is the project's own network, which goes with the project`,
        {
          details: { parameter: 'VpcId' },
        },
      );
    }
    // Whoever makes a group in it meanwhile writes this key.
    draft.get(KEYS.networkUse(projectId));
    const inIt = contentsOf(draft, vpc);
    if (inIt.length > 0) {
      throw new CloudError(
        'DependencyViolation',
        `VpcId: ${vpc.id} has ${inIt.join(', ')}; delete or detach that first`,
        {
          details: { parameter: 'VpcId' },
        },
      );
    }
    const groupId = defaultGroupId(vpc.id);
    const tables = vpc.routeTables.map(({ id }) => id);
    for (const id of [vpc.id, groupId, partId(vpc.id, 'networkAcl'), ...tables]) dropTags(draft, id);
    if (draft.get(KEYS.securityGroup(projectId, groupId)) !== undefined)
      draft.del(KEYS.securityGroup(projectId, groupId));
    draft.del(KEYS.vpc(projectId, vpc.id));
    return { output: { vpcId: vpc.id, operationId }, targets: [vpc.id] };
  },
};

/** What keeps a VPC from going, by id. Its main route table and default group go with it. */
function contentsOf(draft: Draft, vpc: VpcRecord): string[] {
  const groups = draft.replica
    .range<SecurityGroupRecord>(`${PREFIX.securityGroup}${vpc.projectId}/`)
    .filter(({ value }) => value.vpcId === vpc.id && value.isDefault !== true);
  return [
    ...vpc.subnets.map(({ id }) => id),
    ...vpc.routeTables.filter(({ isMain }) => isMain !== true).map(({ id }) => id),
    ...(vpc.internetGatewayId === undefined ? [] : [vpc.internetGatewayId]),
    ...groups.map(({ value }) => value.id),
  ];
}

/** A VPC that something is to be changed in. Errors: 'UnsupportedOperation', 'InvalidVpcID.NotFound'. */
export function changeableVpc(
  draft: Draft,
  { cloud, principal }: ChangeContext,
  vpcId: string,
  operation: string,
): VpcRecord {
  needCapability(cloud.policy.capabilities, 'networks', operation);
  return vpcOf(draft, cloud, principal.projectId, vpcId);
}

/** Writes a VPC that has changed, which may be news to who is about to delete what is in it. */
export function keepChanged(draft: Draft, { cloud, nowMs }: ChangeContext, vpc: VpcRecord): void {
  keepVpc(draft, cloud, vpc, nowMs);
  useNetworks(draft, vpc.projectId, nowMs);
}

/** What all networks are. */
const VPC_IS = { EnableDnsSupport: true, EnableDnsHostnames: true, EnableNetworkAddressUsageMetrics: false } as const;
const SUBNET_IS = { MapPublicIpOnLaunch: false, AssignIpv6AddressOnCreation: false } as const;

export const modifyVpcAttribute: ChangeHandler<'ModifyVpcAttribute'> = {
  decide(draft, { VpcId, ...asked }, { cloud, operationId, principal }) {
    vpcOf(draft, cloud, principal.projectId, VpcId);
    refuseOther(asked, VPC_IS, 'networks');
    return { output: { operationId }, targets: [VpcId] };
  },
};

export const modifySubnetAttribute: ChangeHandler<'ModifySubnetAttribute'> = {
  decide(draft, { SubnetId, ...asked }, { cloud, operationId, principal }) {
    const { projectId } = principal;
    subnetOf(draft, { cloud, projectId }, SubnetId);
    refuseOther(asked, SUBNET_IS, 'subnets');
    return { output: { operationId }, targets: [SubnetId] };
  },
};

function refuseOther(
  asked: Readonly<Record<string, boolean | undefined>>,
  is: Readonly<Record<string, boolean>>,
  what: string,
): void {
  const names = Object.keys(asked).filter((name) => asked[name] !== undefined);
  if (names.length === 0) {
    throw new CloudError('MissingParameter', `one of ${Object.keys(is).join(', ')} is needed`);
  }
  const other = names.find((name) => asked[name] !== is[name]);
  if (other === undefined) return;
  throw new CloudError(
    'UnsupportedOperation',
    `${other}: is ${String(is[other])} for all ${what} of this cloud, and can't be changed`,
    { details: { parameter: other } },
  );
}
