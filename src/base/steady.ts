/** A connection that stood for so long is steady, whatever came before it. */
const STEADY_MS = 5_000;
/** One that is lost sooner counts as an attempt that failed: whoever drops us at once is not dialled in a loop. */
const SHORT_MS = 1_000;

/**
 * Did a connection that is lost now stand long enough for the pauses between attempts to begin anew? As long as the next pause would be is enough: a
 * daemon that is restarted several times in a minute is not to be away for half a minute after it.
 */
export function isSteady(stoodMs: number, nextPauseMs: number): boolean {
  return stoodMs >= Math.min(STEADY_MS, Math.max(SHORT_MS, nextPauseMs));
}
