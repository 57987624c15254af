import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { archiveName, createFileArchives } from '../../../../src/adapters/archive/file-archives.ts';
import { readArchive } from '../../../../src/adapters/archive/read-archive.ts';
import { createFileBlobs } from '../../../../src/adapters/blobs/file-blobs.ts';
import { openFileStore } from '../../../../src/adapters/store/file-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { sha256Hex } from '../../../../src/base/ids.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SeededRandom } from '../../../../src/base/random.ts';
import { loadConfig } from '../../../../src/launch/config/load-config.ts';
import { openStore } from '../../../../src/launch/open-store.ts';
import { restoreState } from '../../../../src/launch/restore-state.ts';
import type { ArchiveFacts } from '../../../../src/ports/state-archive.ts';
import type { Entry } from '../../../../src/ports/store.ts';

const clock = new SystemClock();
const random = new SeededRandom(7);
const signal = new AbortController().signal;
let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-archive-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const records = (count: number): Entry[] =>
  Array.from({ length: count }, (_, at) => ({
    key: `instance/i-${String(at).padStart(6, '0')}`,
    value: { v: 1, name: `würfel ${at}`, text: 'x'.repeat(at % 200) },
    rev: at + 1,
  }));

const stateDir = (): string => join(dir, 'state');

async function backup(count = 300, images: 'with' | 'without' = 'without'): Promise<ArchiveFacts> {
  mkdirSync(join(stateDir(), 'ssh'), { recursive: true });
  writeFileSync(join(stateDir(), 'seal.key'), Buffer.alloc(32, 7), { mode: 0o600 });
  writeFileSync(join(stateDir(), 'ssh/id_ed25519'), 'a private key', { mode: 0o600 });
  writeFileSync(join(stateDir(), 'ssh/id_ed25519.pub'), 'a public key', { mode: 0o644 });
  writeFileSync(join(stateDir(), 'ssh/id_ed25519~'), "an editor's copy");
  const blobs = createFileBlobs({ dir: join(dir, 'blobs'), random });
  const info = await blobs.put('upload/blob-1', Readable.from([Buffer.alloc(700_000, 3)]));
  const archives = createFileArchives({ stateDir: stateDir(), dir: join(dir, 'backups'), blobs, random });
  return archives.write(
    {
      header: {
        cloudId: 'cloud-1',
        rev: 400,
        createdAtMs: 1e12,
        version: '1',
        secrets: true,
        images: images === 'with',
      },
      records: records(count),
      images: images === 'with' ? [info] : [],
    },
    signal,
  );
}

async function problemOf(path: string): Promise<string> {
  try {
    await readArchive(path);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('an archive of the state', () => {
  it('is one private file with its time in its name', async () => {
    const facts = await backup();
    expect(facts).toMatchObject({ records: 300, files: 3, images: 0, header: { rev: 400, cloudId: 'cloud-1' } });
    expect(facts.path).toBe(join(dir, 'backups', archiveName(1e12, 400)));
    expect(archiveName(1e12, 400)).toBe('state-20010909T014640Z-rev400.novactl');
    expect(statSync(facts.path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(dir, 'backups'))).toHaveLength(1);
  });

  it('gives back every record and file as it was', async () => {
    const { path } = await backup(1000, 'with');
    const seen: Entry[] = [];
    const files: string[] = [];
    let bytes = 0;
    await readArchive(path, {
      record: (entry) => seen.push(entry),
      file: (file) => void files.push(`${file.path} ${file.mode.toString(8)} ${file.bytes.length}`),
      image: async (_info, parts) => {
        for await (const part of parts) bytes += part.length;
      },
    });
    expect(seen).toEqual(records(1000));
    expect(files).toEqual(['seal.key 600 32', 'ssh/id_ed25519 600 13', 'ssh/id_ed25519.pub 644 12']);
    expect(bytes).toBe(700_000);
  });

  it('tells of any one damaged byte, and where', async () => {
    const { path } = await backup(40);
    const sound = readFileSync(path);
    const missed: number[] = [];
    const unplaced: number[] = [];
    for (let at = 0; at < sound.length; at += 1) {
      const bytes = Buffer.from(sound);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(path, bytes);
      const problem = await problemOf(path);
      if (problem === '') missed.push(at);
      else if (Number(/damaged at byte (\d+)/.exec(problem)?.[1] ?? Infinity) > at) unplaced.push(at);
    }
    expect(sound.length).toBeGreaterThan(900);
    expect(missed).toEqual([]);
    expect(unplaced).toEqual([]);
  }, 60_000);

  it('tells of any length that it was cut to, and of what follows it', async () => {
    const { path } = await backup(40);
    const sound = readFileSync(path);
    const missed: number[] = [];
    for (let length = sound.length - 1; length >= 0; length -= 7) {
      truncateSync(path, length);
      if (!/damaged at byte/.test(await problemOf(path))) missed.push(length);
    }
    expect(missed).toEqual([]);
    writeFileSync(path, Buffer.concat([sound, Buffer.from('x')]));
    expect(await problemOf(path)).toMatch(/damaged at byte/);
    writeFileSync(path, Buffer.concat([sound, sound.subarray(-100)]));
    expect(await problemOf(path)).toMatch(/damaged at byte/);
  }, 30_000);

  it('is never written over another file, and leaves nothing when it fails', async () => {
    const { path } = await backup();
    await expect(backup()).rejects.toMatchObject({ code: 'AlreadyExists' });
    rmSync(path);
    const bad = { key: 'upload/none', sizeBytes: 5, sha256: 'x' };
    const blobs = createFileBlobs({ dir: join(dir, 'blobs'), random });
    const archives = createFileArchives({ stateDir: stateDir(), dir: join(dir, 'backups'), blobs, random });
    const header = { cloudId: 'c', rev: 1, createdAtMs: 1, version: '1', secrets: false, images: true };
    await expect(archives.write({ header, records: records(5), images: [bad] }, signal)).rejects.toMatchObject({
      code: 'NotFound',
    });
    expect(readdirSync(join(dir, 'backups'))).toEqual([]);
  });
});

describe('the folder of backups', () => {
  it('lists those of a time to come as the oldest', async () => {
    const dirOfBackups = join(dir, 'backups');
    const [old, now, ahead, farAhead] = [1e12, 1.1e12, 1.2e12, 1.3e12].map((atMs) => archiveName(atMs, 1));
    mkdirSync(dirOfBackups);
    for (const name of [ahead, old, farAhead, now, 'notes.txt']) writeFileSync(join(dirOfBackups, name ?? ''), '');
    const blobs = createFileBlobs({ dir: join(dir, 'blobs'), random });
    const archives = createFileArchives({ stateDir: stateDir(), dir: dirOfBackups, blobs, random });
    expect(await archives.list(2, 1.1e12)).toEqual({ kept: [now, old], surplus: [farAhead, ahead] });
    expect(await archives.list(2, 1.4e12)).toEqual({ kept: [farAhead, ahead], surplus: [now, old] });
  });

  it('is rid of what a backup that was cut off left, under any name', async () => {
    const header = { cloudId: 'c', rev: 1, createdAtMs: 1, version: '1', secrets: false, images: false };
    const blobs = createFileBlobs({ dir: join(dir, 'blobs'), random });
    const archives = createFileArchives({ stateDir: stateDir(), dir: join(dir, 'backups'), blobs, random });
    for (const name of ['mine.bak.0123abcd.tmp', 'other.bak.0123abcd.tmp']) writeFileSync(join(dir, name), 'half');
    await archives.write({ header, records: records(5), images: [], to: join(dir, 'mine.bak') }, signal);
    expect(
      readdirSync(dir)
        .filter((name) => name.includes('.bak'))
        .sort(),
    ).toEqual(['mine.bak', 'other.bak.0123abcd.tmp']);
  });
});

describe('a restore', () => {
  const restore = (archive: string, force = false) =>
    restoreState({ archive, stateDir: join(dir, 'new'), force, clock, random });

  it('makes the same records of it, at a higher revision, with the keys and images', async () => {
    const { path } = await backup(2500, 'with');
    const { rev, movedTo } = await restore(path);
    expect(movedTo).toBeUndefined();
    expect(rev).toBeGreaterThan(400);
    const store = await openFileStore({ dir: join(dir, 'new'), clock, random, logger: silentLogger });
    try {
      const marker = { key: 'restored', value: { fromRev: 400, settled: false }, rev };
      expect(store.range('restored')).toMatchObject([marker]);
      expect(store.range('').filter(({ key }) => key !== 'restored')).toEqual(records(2500));
      expect(await store.txn({ puts: [{ key: 'a', value: 1 }] })).toMatchObject({ ok: true, rev: rev + 1 });
    } finally {
      await store.close();
    }
    expect(readFileSync(join(dir, 'new/seal.key'))).toEqual(Buffer.alloc(32, 7));
    expect(statSync(join(dir, 'new/ssh/id_ed25519')).mode & 0o777).toBe(0o600);
    const blobs = createFileBlobs({ dir: join(dir, 'new/blobs'), random });
    expect(await blobs.head('upload/blob-1')).toMatchObject({ sizeBytes: 700_000 });
  });

  it('refuses a folder that has a state, and with force moves it aside', async () => {
    const { path } = await backup(10);
    await restore(path);
    await expect(restore(path)).rejects.toMatchObject({ code: 'IncorrectState' });
    const before = readFileSync(join(dir, 'new/replica.json'), 'utf8');
    const { movedTo = '' } = await restore(path, true);
    expect(readFileSync(join(movedTo, 'replica.json'), 'utf8')).toBe(before);
    expect(readFileSync(join(movedTo, 'seal.key'))).toEqual(Buffer.alloc(32, 7));
  });

  it('leaves the archive where it is, also in the very folder', async () => {
    const { path } = await backup(10, 'with');
    mkdirSync(join(dir, 'new'));
    const inside = join(dir, 'new/cloud.novactl');
    renameSync(path, inside);
    expect((await restore(inside)).movedTo).toBeUndefined();
    const { movedTo = '' } = await restore(inside, true);
    expect(readdirSync(movedTo)).not.toContain('cloud.novactl');
    expect(readdirSync(join(dir, 'new'))).toContain('cloud.novactl');
  });

  it('that fails says where the state is that was there', async () => {
    const { path } = await backup(10);
    await restore(path);
    const blobs = { read: () => Promise.resolve(Readable.from([Buffer.from('x')])) };
    const bad = createFileArchives({ stateDir: stateDir(), dir: join(dir, 'bad'), blobs, random });
    const header = { cloudId: 'c', rev: 1, createdAtMs: 1, version: '1', secrets: false, images: true };
    const images = [{ key: 'no such key', sizeBytes: 1, sha256: sha256Hex('x') }];
    const { path: badPath } = await bad.write({ header, records: records(1), images }, signal);
    await expect(restore(badPath, true)).rejects.toThrow(/the state that was there is in .*replaced-/);
    const [aside = ''] = readdirSync(join(dir, 'new')).filter((name) => name.startsWith('replaced-'));
    expect(readdirSync(join(dir, 'new', aside))).toContain('replica.json');
    // Nobody takes the folder for one that never had a state; the next restore does not ask for force.
    const { config } = loadConfig({ env: { NOVACTL_STATE_DIR: join(dir, 'new') }, uid: 0, readFile: () => undefined });
    const parts = { clock, random, logger: silentLogger, onPoison: () => undefined };
    await expect(openStore(config, parts)).rejects.toMatchObject({ code: 'CorruptState' });
    await restore(path);
    await (await openStore(config, parts)).close();
  });

  it('refuses a folder that a cloud is using', async () => {
    const { path } = await backup(10);
    const store = await openFileStore({ dir: join(dir, 'new'), clock, random, logger: silentLogger });
    try {
      await expect(restore(path, true)).rejects.toMatchObject({ code: 'LockBusy' });
    } finally {
      await store.close();
    }
  });

  it('writes nothing when the archive is damaged', async () => {
    const { path } = await backup(100);
    const bytes = readFileSync(path);
    bytes[bytes.length - 40] = (bytes[bytes.length - 40] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    await expect(restore(path)).rejects.toMatchObject({ code: 'CorruptState' });
    expect(() => readdirSync(join(dir, 'new'))).toThrow(/ENOENT/);
  });
});
