import { CloudError } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { KEYS } from '../../domain/keys.ts';
import type { HostRecord } from '../../domain/records.ts';
import { ProbedClaim } from '../../messages/worker.ts';
import type { ControllerContext } from '../controller-context.ts';

/**
 * A machine that says that it is a host already is not added again: two names for one machine are found this way, and two clouds on one.
 * One whose host record this cloud has no more is free.
 */
export function refuseClaimed(cloud: Pick<ControllerContext, 'store' | 'cloudId'>, probed: Json | undefined): void {
  const { claim } = ProbedClaim.parse(probed ?? {});
  if (claim === undefined) return;
  const { cloudId, hostId } = claim;
  const record = cloud.store.get<HostRecord>(KEYS.host(hostId))?.value;
  if (cloudId === cloud.cloudId && record === undefined) return;
  const message =
    cloudId === cloud.cloudId
      ? `this machine is a host already, as ${record?.name ?? hostId}`
      : `this machine belongs to cloud ${cloudId} (as host ${hostId}); remove it there, or, if that cloud is no more, remove the folder claim in the machine's host folder (hostDir, /var/lib/novactl-host by default)`;
  throw new CloudError('InvalidHost.Duplicate', `Transport: ${message}`, {
    details: { parameter: 'Transport', cloudId, hostId },
  });
}
