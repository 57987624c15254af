import { cp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readFrame } from '../../../../src/adapters/store/frame.ts';
import { jsonLogger } from '../../../../src/base/logger.ts';
import { contents, fill, filled, openAt, scratchDir } from './open-store.ts';

/** A folder with `count` transactions in it, one frame each. */
async function folderWith(count: number, tunables = {}): Promise<string> {
  const dir = await scratchDir();
  const store = await openAt(dir, tunables);
  await fill(store, count);
  await store.close();
  return dir;
}

/** Offsets at which the frames of a segment begin, and its end. */
function frameOffsets(data: Buffer): number[] {
  const offsets = [0];
  for (let frame = readFrame(data, 0); frame !== undefined; frame = readFrame(data, frame.end)) offsets.push(frame.end);
  return offsets;
}

async function change(file: string, edit: (data: Buffer) => Buffer | void): Promise<void> {
  const data = await readFile(file);
  await writeFile(file, edit(data) ?? data);
}

const flip = (offset: number) => (data: Buffer) => {
  data[offset] = (data[offset] ?? 0) ^ 0x10;
};

async function expectState(dir: string, count: number): Promise<void> {
  const store = await openAt(dir);
  expect(contents(store)).toEqual(filled(count));
  expect(store.rev).toBe(count);
  await store.close();
}

describe('file store: recovery', () => {
  it('comes back as it was, with revisions, tokens and history', async () => {
    const dir = await folderWith(10);
    const store = await openAt(dir);
    expect(contents(store)).toEqual(filled(10));
    expect(store.get('k3')?.rev).toBe(4);
    expect(await store.txn({ token: 't3', puts: [{ key: 'k3', value: 'other' }] })).toEqual({ ok: true, rev: 4 });
    const seen: number[] = [];
    store.watch('', 8, ({ rev }) => seen.push(rev));
    await fill(store, 1, 10);
    expect(seen).toEqual([8, 9, 10, 11]);
    await store.close();
  });

  it('comes back as it was from a snapshot', async () => {
    const dir = await folderWith(10, { closeSnapshotOps: 1 });
    const store = await openAt(dir);
    expect(contents(store)).toEqual(filled(10));
    expect(store.get('k3')?.rev).toBe(4);
    expect(await store.txn({ token: 't3', puts: [{ key: 'k3', value: 'other' }] })).toEqual({ ok: true, rev: 4 });
    expect(() => store.watch('', 8, () => undefined)).toThrow(expect.objectContaining({ code: 'Unavailable' }));
    await store.close();
  });

  it('keeps its folder and files to itself', async () => {
    const dir = path.join(await scratchDir(), 'deep', 'store');
    const store = await openAt(dir, { snapshotOps: 1, segmentBytes: 10 });
    await fill(store, 5);
    await store.close();
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    const names = await readdir(dir);
    expect(names).toContain('replica.json');
    for (const name of names) expect([name, (await stat(path.join(dir, name))).mode & 0o777]).toEqual([name, 0o600]);
  });

  it('cuts a torn tail off, whichever byte the last record is torn at', { timeout: 60_000 }, async () => {
    const dir = await folderWith(5);
    const name = path.join(dir, 'journal.1');
    const data = await readFile(name);
    const [last = 0, end = 0] = frameOffsets(data).slice(-2);
    expect(end).toBe(data.length);
    for (let length = last; length < end; length += 1) {
      await writeFile(name, data.subarray(0, length));
      await expectState(dir, 4);
      expect((await stat(name)).size).toBe(last);
    }
    await writeFile(name, data);
    await expectState(dir, 5);
  });

  it('cuts off a tail whose bytes never came, and one of noise', async () => {
    const dir = await folderWith(5);
    const name = path.join(dir, 'journal.1');
    const data = await readFile(name);
    const [last = 0] = frameOffsets(data).slice(-2);
    for (const tail of [Buffer.alloc(5000), Buffer.alloc(5000, 0x7b), Buffer.from('{"prev":'.repeat(200))]) {
      await writeFile(name, Buffer.concat([data.subarray(0, last), tail]));
      await expectState(dir, 4);
    }
  });

  it('goes on after a torn tail', async () => {
    const dir = await folderWith(5);
    await truncate(path.join(dir, 'journal.1'), (await stat(path.join(dir, 'journal.1'))).size - 3);
    const store = await openAt(dir);
    await fill(store, 3, 4);
    await store.close();
    await expectState(dir, 7);
  });

  it(
    'refuses to start on a flipped bit before the last record, naming file and offset',
    { timeout: 60_000 },
    async () => {
      const dir = await folderWith(4);
      const name = path.join(dir, 'journal.1');
      const data = await readFile(name);
      const offsets = frameOffsets(data);
      const last = offsets.at(-2) ?? 0;
      for (let at = 0; at < last; at += 1) {
        await writeFile(name, data);
        await change(name, flip(at));
        const frame = offsets.findLast((offset) => offset <= at);
        const refusal = expect.objectContaining({ code: 'CorruptState', details: { file: name, offset: frame } });
        await expect(openAt(dir), `byte ${at}`).rejects.toEqual(refusal);
        const left = await readFile(name);
        flip(at)(left);
        expect(left.equals(data)).toBe(true);
      }
      await writeFile(name, data);
      await expectState(dir, 4);
    },
  );

  it('refuses to start on a damaged end of a segment that is not the last', async () => {
    const dir = await folderWith(6, { segmentBytes: 150 });
    const name = path.join(dir, 'journal.3');
    const data = await readFile(name);
    await writeFile(name, data.subarray(0, data.length - 1));
    await expect(openAt(dir)).rejects.toMatchObject({
      code: 'CorruptState',
      details: { file: name, offset: frameOffsets(data).at(-2) },
    });
  });

  it('refuses to start when a segment is missing', async () => {
    const dir = await folderWith(6, { segmentBytes: 150 });
    const backup = await scratchDir();
    await cp(dir, backup, { recursive: true });
    await change(path.join(dir, 'journal.3'), () => Buffer.alloc(0));
    await expect(openAt(dir)).rejects.toMatchObject({
      code: 'CorruptState',
      details: { file: path.join(dir, 'journal.5') },
    });
    await rm(path.join(backup, 'journal.1'));
    await expect(openAt(backup)).rejects.toMatchObject({
      code: 'CorruptState',
      details: { file: path.join(backup, 'journal.3'), offset: 0 },
    });
  });

  it(
    'falls back to the snapshot before a damaged one, whichever byte it is, and loses nothing',
    { timeout: 60_000 },
    async () => {
      const dir = await scratchDir();
      for (const [count, from] of [
        [4, 0],
        [3, 4],
        [3, 7],
      ] as const) {
        const store = await openAt(dir, { closeSnapshotOps: from < 7 ? 1 : 1000 });
        await fill(store, count, from);
        await store.close();
      }
      const name = path.join(dir, 'replica.json');
      const data = await readFile(name);
      expect(await readdir(dir)).toContain('replica.previous.json');
      for (let at = 0; at < data.length; at += 7) {
        await writeFile(name, data);
        await change(name, at % 2 === 0 ? flip(at) : (whole) => whole.subarray(0, at));
        const lines: string[] = [];
        const logger = jsonLogger({ level: 'warn', nowMs: () => 0, write: (line) => lines.push(line) });
        const store = await openAt(dir, { logger });
        expect(contents(store), `byte ${at}`).toEqual(filled(10));
        expect(lines.join('')).toContain('a snapshot is damaged');
        await store.close();
      }
    },
  );

  it('keeps the journal that a fall-back needs, and no more', async () => {
    const dir = await folderWith(41, { snapshotOps: 10, segmentBytes: 100_000, closeSnapshotOps: 1 });
    const names = await readdir(dir);
    expect(names).not.toContain('journal.1');
    expect(names.filter((name) => name.startsWith('journal.')).length).toBeLessThan(4);
    await change(path.join(dir, 'replica.json'), flip(30));
    await expectState(dir, 41);
  });

  it('after a fall-back the good generation is kept until there is a better one', async () => {
    const dir = await scratchDir();
    for (const from of [0, 4]) {
      const store = await openAt(dir, { closeSnapshotOps: 1 });
      await fill(store, 4, from);
      await store.close();
    }
    const previous = await readFile(path.join(dir, 'replica.previous.json'));
    await change(path.join(dir, 'replica.json'), flip(30));
    const store = await openAt(dir, { closeSnapshotOps: 1 });
    await fill(store, 1, 8);
    await store.close();
    expect(await readFile(path.join(dir, 'replica.previous.json'))).toEqual(previous);
    await change(path.join(dir, 'replica.json'), flip(30));
    await expectState(dir, 9);
  });

  it('refuses to start when no snapshot is sound and the journal does not reach back', async () => {
    const dir = await folderWith(20, { snapshotOps: 4, segmentBytes: 100 });
    const names = await readdir(dir);
    expect(names).not.toContain('journal.1');
    for (const name of ['replica.json', 'replica.previous.json']) await change(path.join(dir, name), flip(40));
    await expect(openAt(dir)).rejects.toMatchObject({
      code: 'CorruptState',
      details: { file: path.join(dir, 'replica.json') },
    });
  });

  it('needs no snapshot while the journal reaches back to the beginning', async () => {
    const dir = await folderWith(5, { closeSnapshotOps: 1 });
    await change(path.join(dir, 'replica.json'), flip(40));
    await expectState(dir, 5);
  });

  it('refuses a snapshot of a later format rather than go back to an older state', async () => {
    const dir = await folderWith(5, { closeSnapshotOps: 1 });
    await change(path.join(dir, 'replica.json'), (data) => {
      const text = data.toString().replace('"version":1', '"version":2');
      const body = text.slice(0, text.lastIndexOf('"entryCount"'));
      return Buffer.from(`${body}"entryCount":5,"tokenCount":5,"crc32":${crc32(Buffer.from(body))}}\n`);
    });
    await expect(openAt(dir)).rejects.toMatchObject({
      code: 'CorruptState',
      message: expect.stringContaining('replica 2') as string,
    });
  });

  it('starts from a snapshot alone, as a restored backup may be', async () => {
    const dir = await folderWith(5, { closeSnapshotOps: 1 });
    const restored = await scratchDir();
    await cp(path.join(dir, 'replica.json'), path.join(restored, 'replica.json'));
    const store = await openAt(restored);
    await fill(store, 2, 5);
    await store.close();
    await expectState(restored, 7);
  });

  it('removes a snapshot that was never finished', async () => {
    const dir = await folderWith(5);
    await writeFile(path.join(dir, 'replica.json.tmp'), '{"format":');
    await expectState(dir, 5);
    expect(await readdir(dir)).not.toContain('replica.json.tmp');
  });
});
