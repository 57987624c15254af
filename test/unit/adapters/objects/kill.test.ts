import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isCode } from '../../../../src/base/errors.ts';
import type { ObjectStore } from '../../../../src/ports/object-store.ts';
import { abortUploads, auditDisk } from '../../../support/object-audit.ts';
import { asked, bucketSample, readObject } from '../../../support/object-samples.ts';
import { openAt, scratchDir, segmentFiles } from './open-objects.ts';

const WRITER = path.join(import.meta.dirname, 'objects-writer.ts');
const KILLS = 20;
const BUCKETS = ['plain', 'versions'];

/** What a key may hold: what was acknowledged last, or what was being tried since. `gone`: nothing. */
interface Expected {
  acked: string;
  tried?: string;
}

type Book = Map<string, Expected>;

interface Writer {
  /** The folder is its own now; resolves when so many changes were acknowledged. */
  go(acks: number): Promise<unknown>;
  /** SIGKILL; resolves when it is dead and all it said has been read. Answers how much was acknowledged. */
  kill(): Promise<number>;
}

function startWriter(dir: string, book: Book): Writer {
  const child = spawn(process.execPath, [WRITER, dir], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  const enough = Promise.withResolvers<void>();
  let [acks, wanted] = [0, Infinity];
  const check = (): void => void (acks >= wanted && enough.resolve());
  lines.on('line', (line) => {
    const [word, bucket = '', key = '', holds = ''] = line.split(' ');
    const name = `${bucket} ${key}`;
    if (word === 'try') book.set(name, { acked: book.get(name)?.acked ?? 'gone', tried: holds });
    if (word !== 'ack') return;
    acks += 1;
    book.set(name, { acked: holds });
    check();
  });
  const ended = Promise.all([once(child, 'exit'), once(lines, 'close')]);
  return {
    go: (count) => {
      wanted = count;
      child.stdin.write('go\n');
      return Promise.race([count === 0 ? once(lines, 'line') : enough.promise, ended]);
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
      return acks;
    },
  };
}

async function holds(store: ObjectStore, bucket: string, key: string): Promise<string> {
  try {
    return createHash('sha256')
      .update(await readObject(store, bucket, key))
      .digest('hex');
  } catch (error) {
    if (isCode(error, 'NoSuchKey')) return 'gone';
    throw error;
  }
}

/** Every key holds what was acknowledged, or wholly what was tried after that; what it holds counts as acknowledged from then on. */
async function auditKeys(store: ObjectStore, book: Book): Promise<void> {
  for (const [name, { acked, tried }] of book) {
    const [bucket = '', key = ''] = name.split(' ');
    const found = await holds(store, bucket, key);
    expect([acked, tried], `${name} holds ${found}`).toContain(found);
    book.set(name, { acked: found });
  }
  for (const bucket of BUCKETS) {
    const { rows } = await store.list(bucket, asked());
    const there = [...book].filter(([name, { acked }]) => name.startsWith(`${bucket} `) && acked !== 'gone');
    expect(rows.map((row) => `${bucket} ${row.key}`)).toEqual(there.map(([name]) => name).sort());
  }
}

async function emptyAll(store: ObjectStore, dir: string): Promise<void> {
  for (const bucket of BUCKETS) {
    const { rows } = await store.listVersions(bucket, asked({ max: 1_000_000 }));
    await Promise.all(rows.map(({ key, versionId }) => store.removeObject(bucket, key, { versionId })));
    expect(await store.usage(bucket)).toEqual({ objects: 0, versions: 0, bytes: 0, uploads: 0 });
    await store.deleteBucket(bucket);
  }
  await store.collect();
  expect(await store.scrub()).toEqual({ objects: 0, segments: 0, bytes: 0, damaged: [], unnamed: 0 });
  expect(await segmentFiles(dir)).toEqual([]);
}

describe('object store: kill -9', () => {
  it(
    `keeps all that was acknowledged, nothing in part and no file too many, in ${KILLS} kills under puts, copies, uploads and deletes [real]`,
    { timeout: 120_000 },
    async () => {
      const dir = await scratchDir();
      const book: Book = new Map();
      const first = await openAt(dir);
      await first.createBucket(bucketSample('plain'));
      await first.createBucket(bucketSample('versions', { versioning: 'enabled' }));
      await first.close();
      let [acks, aborted] = [0, 0];
      let next = startWriter(dir, book);
      for (let kill = 0; kill < KILLS; kill += 1) {
        const writer = next;
        next = startWriter(dir, book);
        await writer.go((kill * 7) % 17);
        // Kills are to come at any moment of the work, so that this one wait is a time and not a condition.
        await sleep((kill * 37) % 50);
        acks += await writer.kill();
        const store = await openAt(dir);
        await auditKeys(store, book);
        aborted += await abortUploads(store, BUCKETS);
        await auditDisk(store, dir, BUCKETS);
        if (kill === KILLS - 1) await emptyAll(store, dir);
        await store.close();
      }
      expect(acks).toBeGreaterThan(KILLS * 5);
      expect(aborted).toBeGreaterThan(0);
    },
  );
});
