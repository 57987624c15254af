import { expect, it } from 'vitest';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { countKinds, digestOf, type ExportHead } from '../../../src/launch/store-tools/export-format.ts';
import { importRecords } from '../../../src/launch/store-tools/import-records.ts';

it('records of text that is no ASCII go in, too: transactions are measured in bytes', async () => {
  const store = createMemoryStore({ clock: new SystemClock(), random: new SystemRandom() });
  const records = Array.from({ length: 100 }, (_, n) => ({ key: `k/${100 + n}`, value: '雲'.repeat(20_000) }));
  const end = digestOf(records);
  const head: ExportHead = {
    ...{ kind: 'novactl-store', v: 1, cloudId: 'c', engine: 'file', rev: 1, createdAtMs: 1, version: '0' },
    ...{ records: records.length, counts: countKinds(records) },
  };
  const imported = await importRecords(store, { head, end, records }, { nowMs: 1, path: 'a.export' });
  expect([imported.written, store.count('k/')]).toEqual([100, 100]);
  await store.close();
});
