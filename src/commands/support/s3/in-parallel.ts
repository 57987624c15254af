/**
 * Does some things at a time, each once, in their order. The first failure stops the others by the signal; it is thrown when all have come to their end, so
 * that nothing goes on behind it.
 */
export async function inParallel<T>(
  items: readonly T[],
  most: number,
  work: (item: T, signal: AbortSignal) => Promise<void>,
  outer?: AbortSignal,
): Promise<void> {
  const aborter = new AbortController();
  const signal = outer === undefined ? aborter.signal : AbortSignal.any([outer, aborter.signal]);
  const rest = items.values();
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    for (const item of rest) {
      if (signal.aborted) return;
      try {
        await work(item, signal);
      } catch (error) {
        failure ??= { error };
        aborter.abort(error);
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker));
  if (failure !== undefined) throw failure.error;
  outer?.throwIfAborted();
}
