import { humanDuration } from '../../base/units.ts';
import type { HostRecord } from '../../domain/records.ts';
import type { ControllerContext } from '../controller-context.ts';
import { HOST_SILENT_MS } from '../controller-context.ts';

/** Why a host can't be worked with now, as a sentence; undefined when it answers. */
export function hostProblem(
  { observations }: Pick<ControllerContext, 'observations'>,
  host: HostRecord | undefined,
  hostId: string,
): string | undefined {
  if (host === undefined) return `there is no host ${hostId} any more`;
  const seen = observations.host(hostId);
  if (seen === undefined) return 'the host has not reported since this controller started';
  if (!seen.up) return seen.problem ?? 'its hypervisor does not answer';
  const silentMs = observations.nowMonotonicMs - seen.arrivedAtMs;
  return silentMs > HOST_SILENT_MS ? `the host has not reported for ${humanDuration(silentMs)}` : undefined;
}
