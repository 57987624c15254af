import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import type { PublicAddressRecord } from '../../domain/address.ts';
import { needCapability } from '../../domain/capabilities.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import { projectWithoutRegion } from '../../domain/project-region.ts';
import { addressAmounts } from '../../domain/usage.ts';
import { interfaceId } from '../../domain/vpc-ids.ts';
import type { OperationOutput, OperationParsed } from '../../messages/operations/index.ts';
import type { ControllerContext } from '../controller-context.ts';
import type { ChangeContext, ChangeHandler, ReadHandler } from '../operations/handler.ts';
import { badParameter, mayUseInstance } from '../operations/handler.ts';
import { instanceOf } from '../operations/instance-lookup.ts';
import type { Listing } from '../operations/listing.ts';
import { listed } from '../operations/listing.ts';
import type { Draft } from '../state/draft.ts';
import { putTags, type Tags, tagsOf } from '../tags/resource-tags.ts';
import { claimQuota, quotaOwner } from '../users/quota.ts';
import { addressFor, associate, disassociate, freePublicAddress, releaseAddressRecord } from './public-addresses.ts';

type View = OperationOutput<'DescribeAddresses'>['addresses'][number];

/** Errors: 'UnsupportedOperation'. */
function needAddresses({ policy }: ControllerContext, what: string): void {
  needCapability(policy.publicRange === '' ? [] : policy.capabilities, 'addresses', what);
}

function view(record: PublicAddressRecord, tags: Tags, rev: number): View {
  const { publicIp, allocationId, projectId, domain, association, createdAtMs } = record;
  return {
    ...{ publicIp, allocationId, projectId, domain, allocatedAtMs: createdAtMs, tags: { ...tags }, rev },
    ...(association === undefined
      ? {}
      : {
          instanceId: association.instanceId,
          associationId: association.associationId,
          privateIpAddress: association.privateAddress,
        }),
  };
}

const viewNow = (draft: Draft, record: PublicAddressRecord): View =>
  view(record, tagsOf(draft.replica, record.allocationId), draft.replica.rev);

export const allocateAddress: ChangeHandler<'AllocateAddress'> = {
  decide(draft, input, context) {
    const { cloud, principal, nowMs, operationId } = context;
    needAddresses(cloud, 'AllocateAddress');
    const { policy, random } = cloud;
    const publicIp = freePublicAddress(draft, policy.publicRange, random, input.Address);
    const record: PublicAddressRecord = {
      ...{ v: 1, publicIp, allocationId: newId('allocation', random), ...quotaOwner(principal) },
      ...{ zone: principal.zones?.[0] ?? policy.zone, domain: input.Domain, createdAtMs: nowMs },
    };
    claimQuota(draft, record, addressAmounts);
    draft.put(KEYS.publicAddress(publicIp), record);
    const { allocationId, projectId } = record;
    const tags = input.Tags ?? {};
    putTags(draft, { projectId, resourceId: allocationId, kind: 'elastic-ip' }, tags);
    const address = view(record, tags, draft.replica.rev);
    return { output: { address, operationId }, targets: [allocationId] };
  },
};

export const associateAddress: ChangeHandler<'AssociateAddress'> = {
  decide(draft, input, context) {
    needAddresses(context.cloud, 'AssociateAddress');
    const { PublicIp, AllocationId, InstanceId } = input;
    const record = addressFor(draft, context.principal, { PublicIp, AllocationId });
    const instance = instanceOf((key) => draft.get<InstanceRecord>(key), context.principal, InstanceId);
    refuseInstance(record, instance, input);
    const { operationId } = context;
    const next = reassociated(draft, record, instance, input, context);
    return { output: { address: viewNow(draft, next), operationId }, targets: [record.allocationId, instance.id] };
  },
};

function refuseInstance(
  record: PublicAddressRecord,
  instance: InstanceRecord,
  { PrivateIpAddress }: OperationParsed<'AssociateAddress'>,
): void {
  if (record.projectId !== instance.projectId) {
    throw badParameter(
      'InstanceId',
      `${instance.id} is of project ${instance.projectId}, ${record.publicIp} of another`,
    );
  }
  if (PrivateIpAddress !== undefined && PrivateIpAddress !== instance.nic.address) {
    throw badParameter('PrivateIpAddress', `${instance.id} has ${instance.nic.address}, and no ${PrivateIpAddress}`);
  }
  if (!['shutting-down', 'terminated'].includes(instance.state)) return;
  throw new CloudError('InvalidInstanceID.NotFound', `InstanceId: ${instance.id} is ${instance.state}`, {
    details: { parameter: 'InstanceId', instanceId: instance.id },
  });
}

/** Where it is already, it stays. From elsewhere it is taken only where that is allowed. Errors: 'Resource.AlreadyAssociated'. */
function reassociated(
  draft: Draft,
  record: PublicAddressRecord,
  instance: InstanceRecord,
  { AllowReassociation }: OperationParsed<'AssociateAddress'>,
  { cloud, nowMs }: ChangeContext,
): PublicAddressRecord {
  if (record.association?.instanceId === instance.id) return record;
  const mayMove = AllowReassociation ?? record.domain === 'standard';
  const other = draft.get<{ publicIp: string }>(KEYS.instanceAddress(instance.id))?.publicIp;
  const why =
    record.association !== undefined
      ? `${record.publicIp} is associated with ${record.association.instanceId}`
      : other !== undefined
        ? `${instance.id} has ${other}`
        : undefined;
  if (why !== undefined && !mayMove) {
    throw new CloudError(
      'Resource.AlreadyAssociated',
      `${why} already; disassociate that first, or set AllowReassociation`,
      { details: { publicIp: record.publicIp, instanceId: instance.id } },
    );
  }
  return associate(draft, record, instance, { random: cloud.random, nowMs });
}

export const disassociateAddress: ChangeHandler<'DisassociateAddress'> = {
  decide(draft, { PublicIp, AssociationId }, context) {
    needAddresses(context.cloud, 'DisassociateAddress');
    const { operationId } = context;
    const record = addressFor(draft, context.principal, { PublicIp, AssociationId });
    const next = disassociate(draft, record);
    return { output: { address: viewNow(draft, next), operationId }, targets: [record.allocationId] };
  },
};

export const releaseAddress: ChangeHandler<'ReleaseAddress'> = {
  decide(draft, { PublicIp, AllocationId }, context) {
    needAddresses(context.cloud, 'ReleaseAddress');
    const record = addressFor(draft, context.principal, { PublicIp, AllocationId });
    const { publicIp, association, domain, allocationId } = record;
    if (association !== undefined && domain === 'vpc') {
      throw new CloudError(
        'InvalidIPAddress.InUse',
        `${publicIp} is associated with ${association.instanceId}; disassociate it first (${association.associationId})`,
        { details: { publicIp, instanceId: association.instanceId } },
      );
    }
    releaseAddressRecord(draft, record);
    return { output: { publicIp, operationId: context.operationId }, targets: [allocationId] };
  },
};

const ADDRESSES: Listing<View> = {
  parameter: 'AllocationIds',
  notFound: 'InvalidAllocationID.NotFound',
  idOf: (row) => row.allocationId,
  tagsOf: (row) => row.tags,
  fields: {
    'allocation-id': (row) => row.allocationId,
    'association-id': (row) => row.associationId,
    domain: (row) => row.domain,
    'instance-id': (row) => row.instanceId,
    'network-interface-id': (row) => row.instanceId && interfaceId(row.instanceId),
    'network-interface-owner-id': (row) => row.instanceId && [row.projectId, projectWithoutRegion(row.projectId)],
    'private-ip-address': (row) => row.privateIpAddress,
    'public-ip': (row) => row.publicIp,
  },
};

export const describeAddresses: ReadHandler<'DescribeAddresses'> = ({ cloud, principal }, input) => {
  const { PublicIps, AllocationIds, Filters } = input;
  const own = cloud.store
    .range<PublicAddressRecord>(PREFIX.publicAddress)
    .filter(({ value }) => mayUseInstance(principal, value))
    .map(({ value, rev }) => view(value, tagsOf(cloud.store, value.allocationId), rev));
  const missing = PublicIps?.find((ip) => !own.some((row) => row.publicIp === ip));
  if (missing !== undefined) {
    throw new CloudError('InvalidAddress.NotFound', `PublicIps: there is no ${missing} in this project`, {
      details: { parameter: 'PublicIps' },
    });
  }
  const asked = own.filter((row) => PublicIps?.includes(row.publicIp) ?? true);
  const { rows } = listed(asked, { ids: AllocationIds, Filters, MaxResults: own.length + 1 }, ADDRESSES);
  return { addresses: rows, rev: cloud.store.rev };
};
