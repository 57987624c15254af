import { randomBytes } from 'node:crypto';
import { readFile, stat, truncate, unlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { systemObjectFiles, type ObjectFiles } from '../../../../src/adapters/objects/segment-files.ts';
import type { ObjectStore } from '../../../../src/ports/object-store.ts';
import { bucketSample, keys, put, readObject, receiveBytes } from '../../../support/object-samples.ts';
import { openAt, scratchDir, segmentFiles } from './open-objects.ts';

const CLEAN = { damaged: [], unnamed: 0 };

/** A disk that has room for so many bytes more. */
function smallDisk(
  roomBytes: number,
  failAt: 'write' | 'sync' = 'write',
): { files: ObjectFiles; give(bytes: number): void } {
  let room = roomBytes;
  const full = (): never => {
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  };
  return {
    give: (bytes) => {
      room = bytes;
    },
    files: {
      create: async (file) => {
        const real = await systemObjectFiles.create(file);
        return {
          write: async (chunks) => {
            room -= chunks.reduce((sum, chunk) => sum + chunk.length, 0);
            if (room < 0 && failAt === 'write') full();
            await real.write(chunks);
          },
          sync: async () => {
            if (room < 0) full();
            await real.sync();
          },
          close: () => real.close(),
        };
      },
    },
  };
}

async function opened(dir: string, parts: Parameters<typeof openAt>[1] = {}): Promise<ObjectStore> {
  const store = await openAt(dir, parts);
  await store.createBucket(bucketSample('b'));
  return store;
}

describe('object store: a full disk', () => {
  it.each(['write', 'sync'] as const)(
    'while a body is taken (%s): Unavailable, nothing stays, and it goes on when there is room',
    async (failAt) => {
      const dir = await scratchDir();
      const disk = smallDisk(3_000_000, failAt);
      const store = await opened(dir, { files: disk.files });
      await put(store, 'b', 'first', randomBytes(1_000_000));
      await expect(put(store, 'b', 'k', randomBytes(5_000_000))).rejects.toMatchObject({
        code: 'Unavailable',
        message: expect.stringContaining('no space is left') as string,
      });
      expect(await segmentFiles(dir)).toHaveLength(1);
      expect(await keys(store, 'b')).toEqual(['first']);
      expect(await store.scrub()).toMatchObject(CLEAN);
      disk.give(10_000_000);
      await put(store, 'b', 'k', randomBytes(5_000_000));
      expect(await readObject(store, 'b', 'k')).toHaveLength(5_000_000);
      await store.close();
    },
  );

  it('of the index: what was acknowledged stays, what was refused is not there, and a delete makes room', async () => {
    const dir = await scratchDir();
    const store = await opened(dir, { maxIndexBytes: 300_000 });
    const kept: string[] = [];
    const refused: string[] = [];
    for (let round = 0; round < 12; round += 1) {
      // Several that share a transaction, among them one whose bytes are a file.
      const names = [`${round}/a`, `${round}/b`, `${round}/file`];
      const done = await Promise.allSettled(
        names.map((key) => put(store, 'b', key, randomBytes(key.endsWith('file') ? 17_000 : 16_000))),
      );
      for (const [index, one] of done.entries()) {
        (one.status === 'fulfilled' ? kept : refused).push(names[index] ?? '');
        if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'Unavailable' });
      }
    }
    expect([kept.length > 5, refused.length > 5]).toEqual([true, true]);
    expect((await keys(store, 'b')).sort()).toEqual(kept.toSorted());
    for (const key of kept) expect((await readObject(store, 'b', key)).length).toBeGreaterThan(15_000);
    expect(await store.scrub()).toMatchObject(CLEAN);
    expect(await segmentFiles(dir)).toHaveLength(kept.filter((key) => key.endsWith('file')).length);
    await Promise.all(kept.map((key) => store.removeObject('b', key)));
    await store.collect();
    await put(store, 'b', 'again', randomBytes(16_000));
    expect(await keys(store, 'b')).toEqual(['again']);
    await store.close();
  });
});

describe('object store: damage', () => {
  async function damagedBy(
    change: (file: string) => Promise<unknown>,
  ): Promise<{ store: ObjectStore; problem: string }> {
    const dir = await scratchDir();
    const store = await opened(dir);
    const object = await put(store, 'b', 'some/key', randomBytes(50_000));
    await put(store, 'b', 'other', randomBytes(50_000));
    const file = (await segmentFiles(dir)).find((name) => path.basename(name) === object.segments[0]?.id) ?? '';
    await change(file);
    const report = await store.scrub();
    expect(report).toMatchObject({ objects: 2, segments: 2, bytes: 100_000, unnamed: 0 });
    expect(report.damaged).toHaveLength(1);
    expect(report.damaged[0]).toContain('b/some/key (version null)');
    return { store, problem: report.damaged[0] ?? '' };
  }

  const read = async (store: ObjectStore): Promise<Buffer> => readObject(store, 'b', 'some/key');

  it('a byte that is another one is found by a scrub and by a verifying reader, before the last bytes are out', async () => {
    const flip = async (file: string): Promise<void> => {
      const bytes = await readFile(file);
      bytes[40_000] = (bytes[40_000] ?? 0) ^ 1;
      await writeFile(file, bytes);
    };
    const { store, problem } = await damagedBy(flip);
    expect(problem).toContain('SHA-256');
    await expect(read(store)).rejects.toMatchObject({ code: 'CorruptState' });
    expect(await readObject(store, 'b', 'other')).toHaveLength(50_000);
    const object = await store.object('b', 'some/key');
    if (object.kind === 'object')
      expect(await buffer(await store.read(object, { start: 0, end: 10 }))).toHaveLength(10);
    await store.close();
  });

  it('a file that is cut, and one that is missing', async () => {
    const cut = await damagedBy((file) => truncate(file, 100));
    expect(cut.problem).toContain('it ends at byte 100 of 50000');
    await expect(read(cut.store)).rejects.toMatchObject({ code: 'CorruptState' });
    await cut.store.close();
    const missing = await damagedBy((file) => unlink(file));
    expect(missing.problem).toContain('its file is missing');
    const object = await missing.store.object('b', 'some/key');
    // Before a reader is answered at all.
    if (object.kind === 'object') {
      await expect(missing.store.read(object, { start: 0, end: 1 })).rejects.toMatchObject({ code: 'CorruptState' });
    }
    await missing.store.close();
  });

  it('an index that is none, and one of a later format, are refused by name', async () => {
    const dir = await scratchDir();
    await (await opened(dir)).close();
    const file = path.join(dir, 'index.db');
    const db = new DatabaseSync(file);
    db.exec('PRAGMA user_version = 99');
    db.close();
    await expect(openAt(dir)).rejects.toMatchObject({
      code: 'CorruptState',
      message: expect.stringContaining('newer novactl') as string,
    });
    await writeFile(file, 'this is no database'.repeat(1000));
    await expect(openAt(dir)).rejects.toMatchObject({
      code: 'CorruptState',
      message: expect.stringContaining(file) as string,
    });
  });
});

describe('object store: the folder', () => {
  it('belongs to one process at a time, and is for its owner alone', async () => {
    const dir = await scratchDir();
    const store = await opened(path.join(dir, 'objects'));
    await put(store, 'b', 'k', randomBytes(50_000));
    await expect(openAt(path.join(dir, 'objects'))).rejects.toMatchObject({ code: 'LockBusy' });
    for (const file of [
      ...(await segmentFiles(path.join(dir, 'objects'))),
      path.join(dir, 'objects', 'index.db'),
      path.join(dir, 'objects', 'index.db-wal'),
    ]) {
      expect((await stat(file)).mode & 0o777, file).toBe(0o600);
    }
    for (const folder of ['objects', 'objects/data', 'objects/tmp']) {
      expect((await stat(path.join(dir, folder))).mode & 0o777, folder).toBe(0o700);
    }
    await store.close();
    await expect(store.bucket('b')).rejects.toMatchObject({ code: 'Unavailable' });
    await expect(store.createBucket(bucketSample('c'))).rejects.toMatchObject({ code: 'Unavailable' });
    await expect(receiveBytes(store, 'x')).rejects.toMatchObject({ code: 'Unavailable' });
    const again = await openAt(path.join(dir, 'objects'));
    expect(await readObject(again, 'b', 'k')).toHaveLength(50_000);
    await again.close();
  });

  it('is rid at the next opening of what was left, and of nothing else', async () => {
    const dir = await scratchDir();
    const first = await opened(dir);
    await put(first, 'b', 'k', randomBytes(50_000));
    // Never named, as after a kill.
    const { segment } = await receiveBytes(first, randomBytes(50_000));
    await first.close();
    await writeFile(path.join(dir, 'tmp', `f${'0'.repeat(32)}`), 'half');
    await writeFile(path.join(dir, 'data', 'notes.txt'), 'not ours');
    expect(await segmentFiles(dir)).toHaveLength(4);
    const store = await openAt(dir);
    const left = await segmentFiles(dir);
    expect(left).toHaveLength(2);
    expect(left.some((file) => file.endsWith(segment.id))).toBe(false);
    expect(await readObject(store, 'b', 'k')).toHaveLength(50_000);
    await store.close();
  });

  it('loses the bytes of what was deleted after a while, by itself', async () => {
    const dir = await scratchDir();
    const store = await opened(dir, { lingerMs: 20 });
    await put(store, 'b', 'k', randomBytes(50_000));
    const open = await store.read((await store.object('b', 'k')) as never, { start: 0, end: 50_000 });
    await put(store, 'b', 'k', 'inline');
    await put(store, 'b', 'k', 'other');
    expect(await buffer(open)).toHaveLength(50_000);
    await vi.waitFor(async () => expect(await segmentFiles(dir)).toEqual([]), 30_000);
    expect(await store.scrub()).toMatchObject({ segments: 1, ...CLEAN });
    await store.close();
  });

  it('holds what a body that is under way has, whatever is collected meanwhile', async () => {
    const dir = await scratchDir();
    const store = await opened(dir);
    const body = new Readable({ read: () => undefined });
    const receiving = store.receive(body, { maxBytes: 2 ** 30 });
    body.push(randomBytes(2_000_000));
    await vi.waitFor(async () => expect(await segmentFiles(dir)).toHaveLength(1));
    expect(await store.collect()).toBe(0);
    expect(await store.scrub()).toMatchObject(CLEAN);
    body.push(null);
    const { segment } = await receiving;
    expect(await store.collect()).toBe(0);
    expect(await buffer(await store.read({ segments: [segment] }, { start: 0, end: 5 }))).toHaveLength(5);
    await store.drop([segment]);
    expect(await segmentFiles(dir)).toEqual([]);
    await store.close();
  });
});

describe('object store: memory', () => {
  const MIB = 2 ** 20;

  it('takes no more of a body than the disk takes', async () => {
    const dir = await scratchDir();
    const gate = Promise.withResolvers<void>();
    const files: ObjectFiles = {
      create: async (file) => {
        const real = await systemObjectFiles.create(file);
        return {
          write: (chunks) => gate.promise.then(() => real.write(chunks)),
          sync: () => real.sync(),
          close: () => real.close(),
        };
      },
    };
    const store = await opened(dir, { files });
    let produced = 0;
    function* body(): Generator<Buffer> {
      for (; produced < 64 * MIB; produced += 65_536) yield Buffer.alloc(65_536);
    }
    const receiving = store.receive(Readable.from(body()), { maxBytes: 64 * MIB });
    await vi.waitFor(() => expect(produced).toBeGreaterThanOrEqual(MIB / 2));
    for (let turns = 0; turns < 500; turns += 1) await turn();
    // One write under way, one gathered, and what waits in the stream of 16 chunks.
    expect(produced).toBeLessThan(4 * MIB);
    gate.resolve();
    const { segment } = await receiving;
    expect(segment.sizeBytes).toBe(64 * MIB);
    await store.close();
  });

  it('reads no more than is taken', async () => {
    const dir = await scratchDir();
    const store = await opened(dir);
    const object = await put(store, 'b', 'k', Buffer.alloc(16 * MIB));
    const reader = await store.read(object, { start: 0, end: object.sizeBytes });
    reader.read(0);
    await vi.waitFor(() => expect(reader.readableLength).toBeGreaterThan(0));
    for (let turns = 0; turns < 500; turns += 1) await turn();
    expect(reader.readableLength).toBeLessThanOrEqual(1.5 * MIB);
    expect(await buffer(reader)).toHaveLength(16 * MIB);
    await store.close();
  });
});
