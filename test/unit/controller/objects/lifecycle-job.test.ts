import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { LIFECYCLE_EVERY_MS, startLifecycleJob } from '../../../../src/controller/objects/lifecycle-job.ts';
import { keys, put } from '../../../support/object-samples.ts';
import { until } from '../../../support/until.ts';
import { openS3Store, SetClock } from '../api/s3/open-store.ts';

const DAY = 86_400_000;

describe('the job of the lifecycle', () => {
  it('runs once an hour and soon after the start, and not after its end', async () => {
    const clock = new SetClock();
    const store = await openS3Store(clock);
    await store.updateBucket('b', (bucket) => ({
      ...bucket,
      lifecycle: [{ id: 'r', enabled: true, filter: {}, expirationDays: 1 }],
    }));
    await put(store, 'b', 'k', 'x');
    const due: [number, () => void][] = [];
    const started = { cancelled: 0 };
    const timer = (ms: number, run: () => void): { cancel: () => void } => {
      due.push([ms, run]);
      return { cancel: () => (started.cancelled += 1) };
    };
    const job = startLifecycleJob({
      store,
      clock: { nowMs: () => clock.nowMs(), after: timer, every: timer },
      logger: silentLogger,
    });
    expect(due.map(([ms]) => ms)).toEqual([60_000, LIFECYCLE_EVERY_MS]);
    due[0]?.[1]();
    await new SystemClock().sleep(20);
    expect(await keys(store, 'b')).toEqual(['k']);
    clock.wallMs += 3 * DAY;
    due[1]?.[1]();
    await until(async () => (await keys(store, 'b')).length === 0, { what: 'the object goes' });
    await job.close();
    expect(started.cancelled).toBe(2);
    await put(store, 'b', 'old', 'x');
    clock.wallMs += 3 * DAY;
    due[1]?.[1]();
    await job.close();
    expect(await keys(store, 'b')).toEqual(['old']);
  });
});
