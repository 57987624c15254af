import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { needCapability } from '../../domain/capabilities.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import { INTERNET_GATEWAYS_PER_PROJECT, type InternetGatewayRecord } from '../../domain/vpcs.ts';
import { madeGatewayOf } from '../networks/internet-gateways.ts';
import { vpcOf } from '../networks/vpcs.ts';
import { dropTags, putTags } from '../tags/resource-tags.ts';
import type { ChangeHandler } from './handler.ts';
import { keepChanged } from './vpcs.ts';

export const createInternetGateway: ChangeHandler<'CreateInternetGateway'> = {
  decide(draft, { Tags = {} }, { cloud, nowMs, operationId, principal }) {
    const { projectId } = principal;
    needCapability(cloud.policy.capabilities, 'networks', 'CreateInternetGateway');
    if (draft.replica.count(`${PREFIX.internetGateway}${projectId}/`) >= INTERNET_GATEWAYS_PER_PROJECT) {
      throw new CloudError(
        'InternetGatewayLimitExceeded',
        `a project may have ${INTERNET_GATEWAYS_PER_PROJECT} internet gateways; delete one first`,
      );
    }
    const id = newId('internetGateway', cloud.random);
    draft.put(KEYS.internetGateway(projectId, id), {
      v: 1,
      id,
      projectId,
      createdAtMs: nowMs,
    } satisfies InternetGatewayRecord);
    putTags(draft, { projectId, resourceId: id, kind: 'internet-gateway' }, Tags);
    return {
      output: { internetGateway: { internetGatewayId: id, projectId, tags: Tags }, operationId },
      targets: [id],
    };
  },
};

export const deleteInternetGateway: ChangeHandler<'DeleteInternetGateway'> = {
  decide(draft, { InternetGatewayId }, { cloud, operationId, principal }) {
    needCapability(cloud.policy.capabilities, 'networks', 'DeleteInternetGateway');
    const { id, vpcId, projectId } = madeGatewayOf(draft, cloud, principal.projectId, InternetGatewayId);
    if (vpcId !== undefined) {
      throw new CloudError('DependencyViolation', `InternetGatewayId: ${id} is attached to ${vpcId}; detach it first`, {
        details: { parameter: 'InternetGatewayId' },
      });
    }
    draft.del(KEYS.internetGateway(projectId, id));
    dropTags(draft, id);
    return { output: { operationId }, targets: [id] };
  },
};

export const attachInternetGateway: ChangeHandler<'AttachInternetGateway'> = {
  decide(draft, { InternetGatewayId, VpcId }, context) {
    const { cloud, operationId, principal } = context;
    const { projectId } = principal;
    needCapability(cloud.policy.capabilities, 'networks', 'AttachInternetGateway');
    const gateway = madeGatewayOf(draft, cloud, projectId, InternetGatewayId);
    const vpc = vpcOf(draft, cloud, projectId, VpcId);
    if (gateway.vpcId !== undefined || vpc.internetGatewayId !== undefined) {
      const why =
        gateway.vpcId === undefined
          ? `${VpcId} has ${vpc.internetGatewayId ?? ''} already`
          : `${gateway.id} is attached to ${gateway.vpcId} already`;
      throw new CloudError('Resource.AlreadyAssociated', `InternetGatewayId: ${why}; detach that first`, {
        details: { parameter: 'InternetGatewayId' },
      });
    }
    draft.put(KEYS.internetGateway(projectId, gateway.id), { ...gateway, vpcId: vpc.id });
    keepChanged(draft, context, { ...vpc, internetGatewayId: gateway.id });
    return { output: { operationId }, targets: [gateway.id, vpc.id] };
  },
};

export const detachInternetGateway: ChangeHandler<'DetachInternetGateway'> = {
  decide(draft, { InternetGatewayId, VpcId }, context) {
    const { cloud, operationId, principal } = context;
    const { projectId } = principal;
    needCapability(cloud.policy.capabilities, 'networks', 'DetachInternetGateway');
    const { vpcId, ...gateway } = madeGatewayOf(draft, cloud, projectId, InternetGatewayId);
    const { internetGatewayId: _, ...vpc } = vpcOf(draft, cloud, projectId, VpcId);
    if (vpcId !== vpc.id) {
      throw new CloudError('Gateway.NotAttached', `InternetGatewayId: ${gateway.id} is not attached to ${vpc.id}`, {
        details: { parameter: 'InternetGatewayId' },
      });
    }
    draft.put(KEYS.internetGateway(projectId, gateway.id), gateway);
    keepChanged(draft, context, vpc);
    return { output: { operationId }, targets: [gateway.id, vpc.id] };
  },
};
