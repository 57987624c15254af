import { onTestFinished } from 'vitest';
import { SystemClock } from '../../../../../src/base/clock.ts';
import { SeededRandom } from '../../../../../src/base/random.ts';
import type { ObjectStore } from '../../../../../src/ports/object-store.ts';
import { bucketSample } from '../../../../support/object-samples.ts';
import { askS3, type S3Request, type Told } from '../../../../support/s3-call.ts';
import { openAt, scratchDir } from '../../../adapters/objects/open-objects.ts';

/** Its time of day is what it is set to. */
export class SetClock extends SystemClock {
  wallMs = Date.parse('2026-01-02T03:04:05.678Z');

  override nowMs(): number {
    return this.wallMs;
  }
}

/** A store in a folder of its own with the bucket `b`, the same in every run. */
export async function openS3Store(clock = new SetClock()): Promise<ObjectStore> {
  const dir = await scratchDir();
  const store = await openAt(dir, { clock, random: new SeededRandom(3) });
  onTestFinished(() => store.close());
  await store.createBucket(bucketSample('b', { createdMs: clock.wallMs }));
  return store;
}

export type AskedOfBucket = [
  method: NonNullable<S3Request['method']>,
  query: string,
  request?: Omit<S3Request, 'method'>,
];

/** A request of a setting of the bucket `b`. */
export function askBucket(store: ObjectStore, ...[method, query, request = {}]: AskedOfBucket): Promise<Told> {
  return askS3(store, { bucket: 'b', method, query, ...request });
}
