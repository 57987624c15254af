import type { Clock } from '../../base/clock.ts';
import { errorText, isCode } from '../../base/errors.ts';
import type { DashboardModel } from './model.ts';
import type { FeedItem } from './state.ts';

const RETRY_MS = { first: 500, most: 4000 } as const;
/** The cloud sends something every 2 s; after such a silence the connection is given up. */
const SILENT_MS = 15_000;

interface Feed {
  feed(signal: AbortSignal): AsyncIterable<FeedItem>;
}

/**
 * Brings what the feed sends into the model until the signal, opening it again whenever it ends. Resolves with the first item;
 * rejects when there never is one. `denied` is told of a caller who may look no more: nothing is asked after that.
 */
export function followFeed(
  model: DashboardModel,
  port: Feed,
  { clock, signal, denied }: { clock: Clock; signal: AbortSignal; denied?: (error: unknown) => void },
): Promise<void> {
  return new Promise((resolve, reject) => {
    let begun = false;
    let waitMs: number = RETRY_MS.first;
    const once = async (): Promise<void> => {
      for await (const item of guarded(port, clock, signal)) {
        begun = true;
        waitMs = RETRY_MS.first;
        model.feed(item);
        resolve();
      }
    };
    const forever = async (): Promise<void> => {
      while (!signal.aborted) {
        const problem = await once().then(
          () => new Error('the cloud ended the feed'),
          (error: unknown) => error,
        );
        if (signal.aborted) break;
        if (!begun) return reject(problem);
        if (isCode(problem, 'AuthFailure', 'UnauthorizedOperation')) return denied?.(problem);
        model.feedLost(errorText(problem));
        await clock.sleep(waitMs, signal);
        waitMs = Math.min(RETRY_MS.most, waitMs * 2);
      }
    };
    // The sleep ends by the signal: that is no failure once there was an item.
    forever().then(() => reject(signal.reason), reject);
  });
}

/** The feed, ended when it is silent for too long. */
async function* guarded(port: Feed, clock: Clock, signal: AbortSignal): AsyncGenerator<FeedItem> {
  const silence = new AbortController();
  const watch = () => clock.after(SILENT_MS, () => silence.abort(new Error('the cloud says nothing')), { unref: true });
  let timer = watch();
  try {
    for await (const item of port.feed(AbortSignal.any([signal, silence.signal]))) {
      timer.cancel();
      timer = watch();
      yield item;
    }
  } finally {
    timer.cancel();
  }
}
