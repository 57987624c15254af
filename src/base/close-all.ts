/** A part that is to be ended. */
export type Closer = () => Promise<void> | void;

/**
 * Ends the parts, the last one first, and forgets them. What can't be ended does not keep the rest (locks, leases, sockets) from being given back: its
 * error is thrown when all have had their turn.
 */
export async function closeAll(closers: Closer[]): Promise<void> {
  const problems: unknown[] = [];
  for (const close of closers.splice(0).toReversed()) {
    try {
      await close();
    } catch (error) {
      problems.push(error);
    }
  }
  if (problems.length > 0) throw problems[0];
}
