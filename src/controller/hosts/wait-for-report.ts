import type { ControllerContext } from '../controller-context.ts';

const POLL_MS = 10;

/** Resolves true when every one of the hosts has reported to this process, false at the deadline. */
export async function waitForReports(
  { observations, clock }: Pick<ControllerContext, 'observations' | 'clock'>,
  hostIds: readonly string[],
  timeoutMs: number,
): Promise<boolean> {
  const deadline = clock.monotonicMs() + timeoutMs;
  while (hostIds.some((id) => observations.host(id) === undefined)) {
    if (clock.monotonicMs() >= deadline) return false;
    await clock.sleep(POLL_MS);
  }
  return true;
}
