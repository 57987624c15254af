import { KEYS } from '../../domain/keys.ts';
import type { NetworkRecord } from '../../domain/records.ts';
import { partId } from '../../domain/vpc-ids.ts';
import { firstNetworkId } from '../../domain/vpcs.ts';
import { limitsOf } from '../users/quota.ts';
import type { ReadHandler } from './handler.ts';

export const describeAccountAttributes: ReadHandler<'DescribeAccountAttributes'> = ({ cloud, principal }) => {
  const { store, cloudId } = cloud;
  const { projectId } = principal;
  const get = <T>(key: string): T | undefined => store.get<T>(key)?.value;
  const known = get<NetworkRecord>(KEYS.network(projectId))?.id;
  return {
    limits: limitsOf(get, { projectId }),
    defaultVpcId: partId(known ?? firstNetworkId(cloudId, projectId), 'vpc'),
    rev: store.rev,
  };
};
