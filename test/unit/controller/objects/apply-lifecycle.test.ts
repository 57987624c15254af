import { describe, expect, it } from 'vitest';
import { applyLifecycle } from '../../../../src/controller/objects/apply-lifecycle.ts';
import type { LifecycleRule } from '../../../../src/domain/s3/records.ts';
import type { ObjectStore } from '../../../../src/ports/object-store.ts';
import { asked, bucketSample, keys, put, uploadSample } from '../../../support/object-samples.ts';
import { openS3Store, SetClock } from '../api/s3/open-store.ts';

const DAY = 86_400_000;
const rule = (change: Partial<LifecycleRule>): LifecycleRule => ({ id: 'r', enabled: true, filter: {}, ...change });
const setRules = (store: ObjectStore, ...lifecycle: LifecycleRule[]): Promise<unknown> =>
  store.updateBucket('b', (bucket) => ({ ...bucket, lifecycle }));

async function versions(store: ObjectStore): Promise<string[]> {
  const { rows } = await store.listVersions('b', asked());
  return rows.map(({ key, kind, isLatest }) => `${key} ${kind}${isLatest ? ' latest' : ''}`);
}

describe('a run of the lifecycle', () => {
  it('deletes objects by age, in pages, and leaves the rest', async () => {
    const clock = new SetClock();
    const store = await openS3Store(clock);
    for (const key of ['a/1', 'a/2', 'a/3', 'b/1']) await put(store, 'b', key, key);
    await setRules(store, rule({ filter: { prefix: 'a/' }, expirationDays: 1 }));
    const nothing = { expired: 0, removed: 0, aborted: 0 };
    expect(await applyLifecycle({ store, nowMs: clock.wallMs, pageKeys: 1 })).toEqual(nothing);
    clock.wallMs += 3 * DAY;
    await put(store, 'b', 'a/2', 'new');
    expect(await applyLifecycle({ store, nowMs: clock.wallMs, pageKeys: 1 })).toEqual({ ...nothing, expired: 2 });
    expect(await keys(store, 'b')).toEqual(['a/2', 'b/1']);
    expect(await applyLifecycle({ store, nowMs: clock.wallMs })).toEqual(nothing);
  });

  it.each([1, 2, 1000])(
    'hides current objects, and takes old versions and lonely markers away (pages of %i)',
    async (pageKeys) => {
      const clock = new SetClock();
      const store = await openS3Store(clock);
      await store.updateBucket('b', (bucket) => ({ ...bucket, versioning: 'enabled' }));
      for (const body of ['1', '2', '3', '4']) {
        await put(store, 'b', 'k', body);
        clock.wallMs += DAY;
      }
      await store.removeObject('b', 'lonely');
      await setRules(
        store,
        rule({ id: 'old', noncurrentDays: 2, noncurrentKeep: 1 }),
        rule({ id: 'marker', expiredObjectDeleteMarker: true }),
      );
      const nowMs = clock.wallMs + 30 * DAY;
      expect(await applyLifecycle({ store, nowMs, pageKeys })).toEqual({ expired: 0, removed: 3, aborted: 0 });
      expect(await versions(store)).toEqual(['k object latest', 'k object']);
      await setRules(store, rule({ expirationDays: 5 }));
      expect(await applyLifecycle({ store, nowMs, pageKeys })).toEqual({ expired: 1, removed: 0, aborted: 0 });
      expect(await versions(store)).toEqual(['k marker latest', 'k object', 'k object']);
      await setRules(store, rule({ noncurrentDays: 1, expirationDays: 1 }));
      const later = clock.wallMs + 60 * DAY;
      expect(await applyLifecycle({ store, nowMs: later, pageKeys })).toEqual({ expired: 0, removed: 2, aborted: 0 });
      expect(await applyLifecycle({ store, nowMs: later, pageKeys })).toEqual({ expired: 0, removed: 1, aborted: 0 });
      expect(await versions(store)).toEqual([]);
    },
  );

  it.each([1, 2, 1000])(
    'knows null versions of a bucket whose versioning is suspended (pages of %i)',
    async (pageKeys) => {
      const clock = new SetClock();
      const store = await openS3Store(clock);
      await put(store, 'b', 'k', 'null');
      await store.updateBucket('b', (bucket) => ({ ...bucket, versioning: 'enabled' }));
      await put(store, 'b', 'k', '1');
      await put(store, 'b', 'k', '2');
      await store.updateBucket('b', (bucket) => ({ ...bucket, versioning: 'suspended' }));
      await setRules(store, rule({ noncurrentDays: 1 }));
      const nowMs = clock.wallMs + 30 * DAY;
      expect(await applyLifecycle({ store, nowMs, pageKeys })).toEqual({ expired: 0, removed: 2, aborted: 0 });
      expect(await versions(store)).toEqual(['k object latest']);
    },
  );

  it('gives up uploads that are not completed, in every bucket that has rules', async () => {
    const clock = new SetClock();
    const store = await openS3Store(clock);
    await store.createBucket(bucketSample('c', { lifecycle: [rule({ enabled: false, abortMultipartDays: 1 })] }));
    for (const [bucket, key, id] of [
      ['b', 'a', '1'],
      ['b', 'a', '2'],
      ['b', 'z', '3'],
      ['c', 'a', '4'],
    ] as const)
      await store.createUpload(uploadSample(bucket, key, id));
    await setRules(store, rule({ filter: { prefix: 'a' }, abortMultipartDays: 1 }));
    expect(await applyLifecycle({ store, nowMs: clock.wallMs, pageKeys: 1 })).toEqual({
      expired: 0,
      removed: 0,
      aborted: 2,
    });
    expect((await store.listUploads('b', asked())).rows.map(({ uploadId }) => uploadId)).toEqual(['3']);
    expect((await store.usage('c')).uploads).toBe(1);
  });

  it('spares the same bytes that are put while one is removed', async () => {
    const clock = new SetClock();
    const store = await openS3Store(clock);
    await put(store, 'b', 'k', 'same');
    await setRules(store, rule({ expirationDays: 1 }));
    clock.wallMs += 3 * DAY;
    const look = store.object.bind(store);
    store.object = async (...of) => {
      const found = await look(...of);
      await put(store, 'b', 'k', 'same');
      return found;
    };
    expect(await applyLifecycle({ store, nowMs: clock.wallMs })).toMatchObject({ expired: 0, removed: 0 });
    expect(await keys(store, 'b')).toEqual(['k']);
  });

  it('spares what was put since it looked, and stops when it is told to', async () => {
    const clock = new SetClock();
    const store = await openS3Store(clock);
    await put(store, 'b', 'k', 'old');
    await setRules(store, rule({ expirationDays: 1 }));
    clock.wallMs += 5 * DAY;
    // The list was read when somebody puts the object anew.
    const late: ObjectStore = Object.assign(Object.create(store) as ObjectStore, {
      buckets: () => store.buckets(),
      listUploads: () => Promise.resolve({ rows: [], commonPrefixes: [] }),
      listVersions: async () => {
        const page = await store.listVersions('b', asked());
        await put(store, 'b', 'k', 'old');
        return page;
      },
      object: (...name: Parameters<ObjectStore['object']>) => store.object(...name),
      removeObject: (...name: Parameters<ObjectStore['removeObject']>) => store.removeObject(...name),
    });
    expect((await applyLifecycle({ store: late, nowMs: clock.wallMs })).expired).toBe(0);
    expect(await keys(store, 'b')).toEqual(['k']);
    const stopped = applyLifecycle({
      store,
      nowMs: clock.wallMs + 9 * DAY,
      signal: AbortSignal.abort(new Error('stop')),
    });
    await expect(stopped).rejects.toThrow('stop');
    expect(await keys(store, 'b')).toEqual(['k']);
  });
});
