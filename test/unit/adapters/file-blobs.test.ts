import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, stat, truncate, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFileBlobs } from '../../../src/adapters/blobs/file-blobs.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import type { Blobs } from '../../../src/ports/blobs.ts';
import { blobsContract } from '../../contract/blobs.ts';

const newDir = (): Promise<string> => mkdtemp(join(tmpdir(), 'novactl-blobs-'));
const openBlobs = (dir: string): Blobs => createFileBlobs({ dir, random: new SystemRandom() });

blobsContract('files [real]', async () => {
  const dir = await newDir();
  return { blobs: openBlobs(join(dir, 'blobs')), close: () => rm(dir, { recursive: true }) };
});

blobsContract('files in a shared folder [real]', async () => {
  const dir = await newDir();
  const blobs = createFileBlobs({ dir: join(dir, 'blobs'), random: new SystemRandom(), shared: true });
  return { blobs, close: () => rm(dir, { recursive: true }) };
});

describe('file blobs', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await newDir();
  });
  afterEach(() => rm(dir, { recursive: true }));

  it('are there after a restart, and only for their owner', async () => {
    const info = await openBlobs(dir).put('a/b', Readable.from(['hello']));
    const again = openBlobs(dir);
    expect(await again.list('')).toMatchObject([info]);
    expect((await buffer(await again.read('a/b'))).toString()).toBe('hello');
    for (const folder of ['names', 'data']) {
      expect((await stat(join(dir, folder))).mode & 0o777).toBe(0o700);
      for (const name of await readdir(join(dir, folder))) {
        expect((await stat(join(dir, folder, name))).mode & 0o777).toBe(0o600);
      }
    }
  });

  it('open removes what a crash left, and nothing else', async () => {
    await openBlobs(dir).put('a', Readable.from(['hello']));
    const orphan = 'f'.repeat(32);
    const stray = ['data/notes.txt', 'names/README'];
    for (const name of [`data/${orphan}`, `data/${orphan}.tmp`, 'names/x.json.tmp', ...stray]) {
      await writeFile(join(dir, name), 'left over');
    }
    await openBlobs(dir).list('');
    expect(await readdir(join(dir, 'data'))).toHaveLength(2);
    expect(await readdir(join(dir, 'names'))).toHaveLength(2);
    for (const name of stray) expect(await readFile(join(dir, name), 'utf8')).toBe('left over');
  });

  it('in a shared folder are at once there for every process, and gone for every process', async () => {
    const [one, other] = [0, 1].map(() => createFileBlobs({ dir, random: new SystemRandom(), shared: true }));
    expect(await other?.list('')).toEqual([]);
    const info = await one?.put('a', Readable.from(['hello']));
    expect(await other?.head('a')).toEqual(info);
    expect(await other?.list('')).toMatchObject([info]);
    await other?.put('a', Readable.from(['again']));
    expect((await buffer(await (one ?? openBlobs(dir)).read('a'))).toString()).toBe('again');
    await one?.delete('a');
    await expect(other?.head('a')).rejects.toMatchObject({ code: 'NotFound' });
    expect(await readdir(join(dir, 'data'))).toEqual([]);
  });

  it('in a shared folder leave alone what another process has on its way, and remove what is old', async () => {
    await openBlobs(dir).put('a', Readable.from(['hello']));
    const [young, old] = ['e'.repeat(32), 'f'.repeat(32)];
    for (const name of [`data/${young}`, `data/${young}.tmp`, `data/${old}`, 'names/x.json.tmp']) {
      await writeFile(join(dir, name), 'half');
    }
    const yesterday = new Date((await stat(join(dir, 'data', old))).mtimeMs - 2 * 86_400_000);
    await utimes(join(dir, 'data', old), yesterday, yesterday);
    const shared = createFileBlobs({ dir, random: new SystemRandom(), shared: true });
    expect(await shared.list('')).toHaveLength(1);
    expect(await readdir(join(dir, 'data'))).toEqual(expect.arrayContaining([young, `${young}.tmp`]));
    expect(await readdir(join(dir, 'data'))).not.toContain(old);
    expect(await readdir(join(dir, 'names'))).toHaveLength(2);
  });

  it('read-only follow what another process writes, and touch nothing of it', async () => {
    const reader = createFileBlobs({ dir, random: new SystemRandom(), readOnly: true });
    expect(await reader.list('')).toEqual([]);
    expect(await readdir(dir)).toEqual([]);
    const writer = openBlobs(dir);
    await writer.put('a', Readable.from(['hello']));
    const coming = [`data/${'f'.repeat(32)}`, `data/${'e'.repeat(32)}.tmp`, 'names/x.json.tmp'];
    for (const name of coming) await writeFile(join(dir, name), 'under way');
    expect((await buffer(await reader.read('a'))).toString()).toBe('hello');
    for (const name of coming) expect(await readFile(join(dir, name), 'utf8')).toBe('under way');
    await writer.delete('a');
    await expect(reader.head('a')).rejects.toMatchObject({ code: 'NotFound' });
    await expect(reader.put('b', Readable.from(['x']))).rejects.toMatchObject({ code: 'InternalError' });
    await expect(reader.delete('a')).rejects.toMatchObject({ code: 'InternalError' });
  });

  it('leaves nothing of replaced, deleted and failed blobs', async () => {
    const blobs = openBlobs(dir);
    for (let i = 0; i < 5; i += 1) await blobs.put('a', Readable.from([String(i)]));
    await blobs.put('b', Readable.from(['x']));
    await blobs.delete('b');
    await expect(blobs.put('c', Readable.from(['x']), { expectSha256: 'no' })).rejects.toThrow();
    expect(await readdir(join(dir, 'data'))).toHaveLength(1);
    expect(await readdir(join(dir, 'names'))).toHaveLength(1);
  });

  it('says which file is damaged', async () => {
    await openBlobs(dir).put('a', Readable.from(['hello']));
    const [data = ''] = await readdir(join(dir, 'data'));
    const [name = ''] = await readdir(join(dir, 'names'));
    const corrupt = { code: 'CorruptState' };
    await truncate(join(dir, 'data', data), 3);
    await expect(openBlobs(dir).read('a')).rejects.toMatchObject(corrupt);
    await unlink(join(dir, 'data', data));
    await expect(openBlobs(dir).read('a')).rejects.toMatchObject(corrupt);
    for (const text of ['{"v":1}', '{', '', '{"v":1,"key":"a","sha256":"x","sizeBytes":1,"file":"../../etc/passwd"}']) {
      await writeFile(join(dir, 'names', name), text);
      const blobs = openBlobs(dir);
      await expect(blobs.list('')).rejects.toThrowError(name);
      await expect(blobs.head('a')).rejects.toMatchObject(corrupt);
    }
  });

  it('streams: memory does not grow with the size', async () => {
    const chunk = Buffer.alloc(1024 * 1024, 7);
    const body = Readable.from(
      (function* (): Generator<Buffer> {
        for (let i = 0; i < 400; i += 1) yield chunk;
      })(),
    );
    const before = process.memoryUsage().rss;
    let peak = before;
    body.on('data', () => undefined).pause();
    const blobs = openBlobs(dir);
    const put = blobs.put('large', body);
    const watch = setInterval(() => (peak = Math.max(peak, process.memoryUsage().rss)), 20);
    try {
      expect((await put).sizeBytes).toBe(400 * 1024 * 1024);
      for await (const _ of await blobs.read('large')) peak = Math.max(peak, process.memoryUsage().rss);
    } finally {
      clearInterval(watch);
    }
    expect((peak - before) / 1024 / 1024).toBeLessThan(150);
  });

  it('kill -9 at any moment loses no acknowledged blob and leaves no half of one [real]', async () => {
    const script = join(import.meta.dirname, 'file-blobs-writer.ts');
    const holds = new Map<string, string>();
    let round = 0;
    let kills = 0;
    for (let life = 0; life < 12; life += 1) {
      const child = spawn(process.execPath, [script, dir, String(round)], { stdio: ['ignore', 'pipe', 'inherit'] });
      let output = '';
      const enough = 200 + Math.floor(Math.random() * 3000);
      child.stdout.on('data', (data: Buffer) => {
        output += data.toString();
        if (output.length > enough && child.kill('SIGKILL')) kills += 1;
      });
      await once(child, 'close');
      const pending = new Map<string, string>();
      for (const line of output.split('\n').slice(0, -1)) {
        const [word, number = '', key = '', value = ''] = line.split(' ');
        round = Number(number) + 1;
        if (word === 'try') pending.set(key, value);
        else holds.set(key, value);
      }
      await checkAfterCrash(dir, holds, pending);
    }
    expect(kills).toBeGreaterThanOrEqual(12);
    expect(round).toBeGreaterThan(50);
  }, 60_000);
});

/** Each key holds what was acknowledged last or what was under way; what is there is whole, and nothing else is. */
async function checkAfterCrash(dir: string, holds: Map<string, string>, pending: Map<string, string>): Promise<void> {
  const blobs = openBlobs(dir);
  const infos = new Map((await blobs.list('')).map((info) => [info.key, info]));
  for (const key of new Set([...holds.keys(), ...pending.keys(), ...infos.keys()])) {
    const now = infos.get(key)?.sha256 ?? 'gone';
    expect([holds.get(key) ?? 'gone', pending.get(key)]).toContain(now);
    holds.set(key, now);
    if (now === 'gone') continue;
    const bytes = await buffer(await blobs.read(key));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(now);
  }
  expect(await readdir(join(dir, 'data'))).toHaveLength(infos.size);
  expect(await readdir(join(dir, 'names'))).toHaveLength(infos.size);
}
