import { asCloudError, type CloudError } from '../../base/errors.ts';
import type { ConsoleChannel, ConsoleItem } from '../../messages/console.ts';
import { type Standing, type StandingContext, StandingWatch } from '../users/standing-watch.ts';

/** A stream for as long as its caller may have it; then it ends with the refusal. */
export async function* streamWhileAllowed<T>(
  context: StandingContext,
  standing: Standing,
  signal: AbortSignal,
  open: (signal: AbortSignal) => AsyncIterable<T>,
): AsyncGenerator<T> {
  const watch = new StandingWatch(context, standing);
  try {
    for await (const item of open(AbortSignal.any([signal, watch.over]))) {
      // What was read before, and is asked for only now.
      watch.over.throwIfAborted();
      yield item;
    }
    if (!signal.aborted) watch.over.throwIfAborted();
  } catch (error) {
    // What the end of the stream made fail is no news.
    throw watch.over.aborted ? watch.over.reason : error;
  } finally {
    watch.close();
  }
}

/** A console for as long as its caller may have it; then it is given free, and its reader is told why. */
export function consoleWhileAllowed(
  context: StandingContext,
  standing: Standing,
  channel: ConsoleChannel,
): ConsoleChannel {
  const watch = new StandingWatch(context, standing);
  const refused = new Promise<'refused'>((resolve) => {
    watch.over.addEventListener('abort', () => resolve('refused'), { once: true });
  });
  const give = async (): Promise<void> => {
    watch.close();
    await channel.close();
  };
  // At once, whether anybody reads or not.
  void refused.then(give).catch(() => undefined);
  return {
    async *read() {
      const items = channel.read()[Symbol.asyncIterator]();
      for (;;) {
        const next = items.next();
        const first = await Promise.race([refused, next]);
        if (first === 'refused' || watch.over.aborted) {
          void next.catch(() => undefined);
          yield endedBy(asCloudError(watch.over.reason));
          return;
        }
        if (first.done === true) return;
        yield first.value;
      }
    },
    write: (bytes) => (watch.over.aborted ? Promise.resolve() : channel.write(bytes)),
    close: give,
  };
}

/** What passes, such as a directory that is away, is no denial. */
function endedBy({ status, message }: CloudError): ConsoleItem {
  return { kind: 'ended', reason: status >= 500 ? 'closed' : 'denied', message };
}
