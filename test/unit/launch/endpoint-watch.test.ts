import { describe, expect, it } from 'vitest';
import { CloudError } from '../../../src/base/errors.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { ENDPOINT_WATCH, EndpointWatch } from '../../../src/launch/endpoint-watch.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const { everyMs } = ENDPOINT_WATCH;

/** A watch over an endpoint that answers as it is told. */
function watched() {
  const clock = new ManualClock();
  const endpoint = { asked: 0, closed: 0, says: (): Promise<void> => Promise.resolve() };
  const check = (signal: AbortSignal): Promise<void> => {
    endpoint.asked += 1;
    const stopped = new Promise<void>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
    return Promise.race([endpoint.says(), stopped]);
  };
  const onClose = (): void => void (endpoint.closed += 1);
  return { clock, endpoint, watch: new EndpointWatch({ check, clock, logger: silentLogger, onClose }) };
}

const down = (why: string) => () => Promise.reject(new CloudError('Unavailable', why));

describe('how an endpoint elsewhere is', () => {
  it('is known soon after the start, with the reason and since when, and is in order again when it answers', async () => {
    const { clock, endpoint, watch } = watched();
    endpoint.says = down('nobody listens there');
    await clock.advance(0);
    const sinceMs = clock.nowMs();
    expect(watch.trouble).toEqual({ text: 'nobody listens there', sinceMs });
    endpoint.says = down('it has no bucket b');
    await clock.advance(everyMs);
    expect(watch.trouble).toEqual({ text: 'it has no bucket b', sinceMs });
    endpoint.says = () => Promise.resolve();
    await clock.advance(everyMs);
    expect(watch.trouble).toBeUndefined();
    await watch.close();
  });

  it('is asked once in a while, whoever wants to know, and never again before it has answered', async () => {
    const { clock, endpoint, watch } = watched();
    await clock.advance(0);
    for (let looks = 0; looks < 100; looks += 1) expect(watch.trouble).toBeUndefined();
    expect(endpoint.asked).toBe(1);
    endpoint.says = () => new Promise(() => undefined);
    await clock.advance(10 * everyMs);
    expect(endpoint.asked).toBe(2);
    await watch.close();
    expect([watch.trouble, endpoint.closed]).toEqual([undefined, 1]);
    await clock.advance(10 * everyMs);
    expect(endpoint.asked).toBe(2);
  });
});
