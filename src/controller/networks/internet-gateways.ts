import { CloudError } from '../../base/errors.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import { partId } from '../../domain/vpc-ids.ts';
import type { InternetGatewayRecord, VpcRecord } from '../../domain/vpcs.ts';
import type { Draft } from '../state/draft.ts';
import { firstVpc, type NetworkCloud } from './vpcs.ts';

/** The internet gateways of a project: those that were made, and that of its default VPC. The range is not guarded. */
export function gatewaysOf(draft: Draft, cloud: NetworkCloud, projectId: string): InternetGatewayRecord[] {
  const stored = draft.replica
    .range<InternetGatewayRecord>(`${PREFIX.internetGateway}${projectId}/`)
    .map(({ value }) => value);
  const own = ownGateway(firstVpc(draft, cloud, projectId));
  return own === undefined ? stored : [own, ...stored];
}

/** The way out that a project's first network has: no record, it comes and goes with the network. */
function ownGateway(vpc: VpcRecord | undefined): InternetGatewayRecord | undefined {
  if (vpc === undefined) return undefined;
  const { id, projectId, createdAtMs } = vpc;
  return { v: 1, id: partId(id, 'internetGateway'), projectId, vpcId: id, createdAtMs };
}

/** Errors: 'InvalidInternetGatewayID.NotFound'. */
export function gatewayOf(
  draft: Draft,
  cloud: NetworkCloud,
  projectId: string,
  gatewayId: string,
): InternetGatewayRecord {
  const stored = draft.get<InternetGatewayRecord>(KEYS.internetGateway(projectId, gatewayId));
  if (stored !== undefined) return stored;
  const own = ownGateway(firstVpc(draft, cloud, projectId));
  if (own?.id === gatewayId) return own;
  throw new CloudError(
    'InvalidInternetGatewayID.NotFound',
    `InternetGatewayId: there is no internet gateway ${gatewayId} in project ${projectId}`,
    { details: { parameter: 'InternetGatewayId' } },
  );
}

/** One that was made, to be changed. Errors: as gatewayOf, and 'OperationNotPermitted' for that of the default VPC. */
export function madeGatewayOf(
  draft: Draft,
  cloud: NetworkCloud,
  projectId: string,
  gatewayId: string,
): InternetGatewayRecord {
  const found = gatewayOf(draft, cloud, projectId, gatewayId);
  if (draft.get(KEYS.internetGateway(projectId, gatewayId)) !== undefined) return found;
  throw new CloudError(
    'OperationNotPermitted',
    `InternetGatewayId: ${gatewayId} is the way out of the project's own network, and stays with it`,
    { details: { parameter: 'InternetGatewayId' } },
  );
}
