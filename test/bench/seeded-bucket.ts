import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openObjectStore } from '../../src/adapters/objects/object-store.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { BucketRecord } from '../../src/domain/s3/records.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';

export const SEEDED_KEYS = 1_000_000;

/** A key of a seeded bucket. 1,000 folders of 1,000 keys. */
export function seededKey(number: number): string {
  return `folder-${String(Math.floor(number / 1000)).padStart(3, '0')}/key-${String(number).padStart(7, '0')}`;
}

export function openObjects(dir: string): Promise<ObjectStore> {
  return openObjectStore({ dir, clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger });
}

/** Makes the bucket in a folder that nobody has open, and fills it by SQL, not by a million puts. */
export async function seedBucket(dir: string, bucket: BucketRecord): Promise<void> {
  const empty = await openObjects(dir);
  await empty.createBucket(bucket);
  await empty.close();
  const db = new DatabaseSync(path.join(dir, 'index.db'));
  const { id } = db.prepare('SELECT id FROM buckets WHERE name = ?').get(bucket.name) as { id: number };
  const head = JSON.stringify({ modifiedMs: 1, ownerId: bucket.projectId, etag: '0'.repeat(32), tags: {} });
  const rest = JSON.stringify({
    metadata: { contentType: 'text/plain', user: {} },
    grants: [],
    segments: [{ id: `f${'0'.repeat(32)}`, sizeBytes: 0, sha256: '0'.repeat(64) }],
  });
  db.exec('BEGIN');
  db.prepare(
    `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${SEEDED_KEYS})
     INSERT INTO versions (bucket, key, version, state, size, head, rest)
     SELECT ?, CAST(printf('folder-%03d/key-%07d', i / 1000, i) AS BLOB), 'null', 1, 0, ?, ? FROM n`,
  ).run(id, head, rest);
  db.prepare('UPDATE usage SET objects = ?, versions = ? WHERE bucket = ?').run(SEEDED_KEYS, SEEDED_KEYS, id);
  db.exec('COMMIT');
  db.close();
}
