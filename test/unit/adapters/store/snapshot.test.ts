import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Low } from 'lowdb';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemFiles } from '../../../../src/adapters/store/file-port.ts';
import { type ReplicaImage, SNAPSHOT, SnapshotAdapter } from '../../../../src/adapters/store/snapshot.ts';
import type { Json } from '../../../../src/base/json.ts';
import type { Entry } from '../../../../src/ports/store.ts';
import { scratchDir } from './open-store.ts';

const EMPTY: ReplicaImage = { rev: 0, savedAt: '', entries: [], tokens: [] };

function adapterAt(dir: string, onTurn: () => void = () => undefined): SnapshotAdapter {
  const defer = (run: () => void): void => {
    onTurn();
    setImmediate(run);
  };
  return new SnapshotAdapter({ dir, files: systemFiles, defer });
}

describe('snapshot file', () => {
  it('holds any image through lowdb, and is one JSON document', async () => {
    const dir = await scratchDir();
    const entry = fc.record({
      key: fc.string({ minLength: 1 }),
      value: fc.jsonValue().map((value) => value as Json),
      rev: fc.nat(),
    });
    const token = fc.record({ token: fc.string({ minLength: 1 }), rev: fc.nat(), atMs: fc.nat() });
    const image = fc.record({
      rev: fc.nat(),
      savedAt: fc.constant('2026-01-01T00:00:00.000Z'),
      entries: fc.array(entry),
      tokens: fc.array(token),
    });
    await fc.assert(
      fc.asyncProperty(image, async (data) => {
        const writer = new Low<ReplicaImage>(adapterAt(dir), EMPTY);
        writer.data = data;
        await writer.write();
        const reader = new Low<ReplicaImage>(adapterAt(dir), EMPTY);
        await reader.read();
        // Through JSON, since -0 is 0 there.
        expect(JSON.stringify(reader.data)).toBe(JSON.stringify(data));
        const document = JSON.parse(await readFile(path.join(dir, SNAPSHOT.current), 'utf8')) as ReplicaImage;
        expect(JSON.stringify(document.entries)).toBe(JSON.stringify(data.entries));
      }),
      { numRuns: 40 },
    );
  });

  it('leaves the default when there is no file, and refuses a damaged one', async () => {
    const dir = await scratchDir();
    const db = new Low<ReplicaImage>(adapterAt(dir), EMPTY);
    await db.read();
    expect(db.data).toBe(EMPTY);
    for (const bytes of ['', '\n', 'x', '{}', '{"format":"novactl-replica"', '[]\n[]\n', '}\n}\n']) {
      await writeFile(path.join(dir, SNAPSHOT.current), bytes);
      await expect(db.read(), JSON.stringify(bytes)).rejects.toMatchObject({ code: 'CorruptState' });
    }
  });

  it('gives the event loop a turn after each slice, be the records many or large', async () => {
    for (const [count, size] of [
      [3000, 400],
      [60, 60_000],
    ] as const) {
      let rendered = 0;
      let since = 0;
      let most = 0;
      const entries = function* (): Generator<Entry> {
        for (let n = 0; n < count; n += 1) {
          rendered += 1;
          since += size;
          yield { key: `k${n}`, value: 'x'.repeat(size), rev: 1 };
        }
      };
      const adapter = adapterAt(await scratchDir(), () => {
        most = Math.max(most, since);
        since = 0;
      });
      await adapter.write({ ...EMPTY, entries: entries() });
      expect(rendered).toBe(count);
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThan(256 * 1024);
    }
  });
});
