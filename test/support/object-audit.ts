import { basename } from 'node:path';
import { expect } from 'vitest';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { segmentFiles } from '../unit/adapters/objects/open-objects.ts';
import { asked } from './object-samples.ts';

/** No damage, and as many files as the index names, once the collector ran; the counters are those of what is there. No uploads may be under way. */
export async function auditDisk(store: ObjectStore, dir: string, buckets: readonly string[]): Promise<void> {
  expect(await store.scrub()).toMatchObject({ damaged: [], unnamed: 0 });
  await store.collect();
  let bytes = 0;
  const named = new Set<string>();
  for (const bucket of buckets) {
    const { rows } = await store.listVersions(bucket, asked({ max: 1_000_000 }));
    for (const row of rows) {
      const version = await store.object(bucket, row.key, row.versionId);
      if (version.kind === 'marker') continue;
      bytes += version.sizeBytes;
      for (const { id } of version.segments) if (id.startsWith('f')) named.add(id);
    }
    expect((await store.usage(bucket)).versions).toBe(rows.length);
  }
  const files = await segmentFiles(dir);
  expect(files.map((file) => basename(file)).sort()).toEqual([...named].sort());
  const usages = await Promise.all(buckets.map((bucket) => store.usage(bucket)));
  expect(usages.reduce((sum, usage) => sum + usage.bytes, 0)).toBe(bytes);
}

/** All of the buckets; answers how many. */
export async function abortUploads(store: ObjectStore, buckets: readonly string[]): Promise<number> {
  let aborted = 0;
  for (const bucket of buckets) {
    const { rows } = await store.listUploads(bucket, asked());
    for (const { key, uploadId } of rows) await store.abortUpload(bucket, key, uploadId);
    aborted += rows.length;
  }
  return aborted;
}
