import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { KIB, MIB } from '../../src/base/units.ts';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { bucketSample, plain } from '../support/object-samples.ts';
import { type Bench, type BenchContext, type BenchRow, benchRow } from './bench-row.ts';
import { openObjects, seedBucket, SEEDED_KEYS, seededKey } from './seeded-bucket.ts';

const ROUND_MS = 3000;
const LANES = 8;
const LARGE_BYTES = 256 * MIB;
/** As HTTP brings them. */
const CHUNK_BYTES = 64 * KIB;
const PAGE = 1000;

function* chunksOf(data: Buffer, sizeBytes = data.length): Generator<Buffer> {
  for (let at = 0; at < sizeBytes; at += CHUNK_BYTES) {
    const from = at % data.length;
    yield data.subarray(from, Math.min(from + CHUNK_BYTES, from + sizeBytes - at));
  }
}

async function put(store: ObjectStore, key: string, data: Buffer, sizeBytes = data.length): Promise<void> {
  const { segment, digests } = await store.receive(Readable.from(chunksOf(data, sizeBytes)), { maxBytes: sizeBytes });
  await store.putObject({ ...plain('b', key), etag: digests.md5, segments: [segment] });
}

async function get(store: ObjectStore, key: string): Promise<number> {
  const object = await store.object('b', key);
  if (object.kind === 'marker') return 0;
  return drain(await store.read(object, { start: 0, end: object.sizeBytes }));
}

async function drain(stream: Readable): Promise<number> {
  let bytes = 0;
  for await (const chunk of stream) bytes += (chunk as Buffer).length;
  return bytes;
}

/** What is done a second by so many that each do one thing after the other. */
async function rate(lanes: number, work: (lane: number, round: number) => Promise<unknown>): Promise<number> {
  let done = 0;
  const beganMs = performance.now();
  const run = async (_: unknown, lane: number): Promise<void> => {
    for (let round = 0; performance.now() - beganMs < ROUND_MS; round += 1) {
      await work(lane, round);
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: lanes }, run));
  return done / ((performance.now() - beganMs) / 1000);
}

async function tookMs(work: () => Promise<unknown>): Promise<number> {
  const beganMs = performance.now();
  await work();
  return performance.now() - beganMs;
}

/** The floor: SHA-256, MD5, one file, one sync; nothing has a name and nobody could find it again. */
async function floorPut(file: string, data: Buffer, sizeBytes = data.length): Promise<void> {
  const [sha256, md5] = [createHash('sha256'), createHash('md5')];
  for (const chunk of chunksOf(data, sizeBytes)) sha256.update(chunk);
  for (const chunk of chunksOf(data, sizeBytes)) md5.update(chunk);
  sha256.digest();
  md5.digest();
  const handle = await fs.open(file, 'w');
  for (let at = 0; at < sizeBytes; at += data.length)
    await handle.write(data, 0, Math.min(data.length, sizeBytes - at));
  await handle.sync();
  await handle.close();
}

async function smallRows(store: ObjectStore, dir: string, sizeBytes: number, name: string): Promise<BenchRow[]> {
  const data = randomBytes(sizeBytes);
  const keys = sizeBytes > MIB / 2 ? 50 : 2000;
  const puts = await rate(LANES, (lane, round) => put(store, `${name}/${lane}/${round % keys}`, data));
  const floor = await rate(LANES, (lane, round) => floorPut(path.join(dir, `floor-${lane}-${round % 50}`), data));
  const gets = await rate(LANES, (lane, round) => get(store, `${name}/${lane}/${round % 20}`));
  const plainGets = await rate(LANES, (lane, round) =>
    drain(createReadStream(path.join(dir, `floor-${lane}-${round % 20}`), { highWaterMark: 512 * KIB })),
  );
  const goal = sizeBytes === KIB ? ({ of: 'value', atLeast: 1500 } as const) : undefined;
  const goals = goal === undefined ? {} : { goal };
  return [
    benchRow({
      name: `objects.put-${name}-at-8`,
      value: puts,
      unit: '1/s',
      baseline: floor,
      ...goals,
      note: 'floor: SHA-256, MD5, write, fsync, a file each',
    }),
    benchRow({
      name: `objects.get-${name}-at-8`,
      value: gets,
      unit: '1/s',
      baseline: plainGets,
      ...goals,
      note: 'baseline: a file stream',
    }),
  ];
}

/** Alternating, the best of three of each: the disk's own moods fall on both. */
async function largeRows(store: ObjectStore, dir: string): Promise<BenchRow[]> {
  const data = randomBytes(8 * MIB);
  const file = path.join(dir, 'floor-large');
  const [puts, floors, gets, plains]: [number[], number[], number[], number[]] = [[], [], [], []];
  for (let round = 0; round < 3; round += 1) {
    floors.push(await tookMs(() => floorPut(file, data, LARGE_BYTES)));
    puts.push(await tookMs(() => put(store, 'large', data, LARGE_BYTES)));
    plains.push(await tookMs(() => drain(createReadStream(file, { highWaterMark: 512 * KIB }))));
    gets.push(await tookMs(() => get(store, 'large')));
    await store.collect();
  }
  const least = (values: readonly number[]): number => Math.min(...values);
  return [
    benchRow({
      name: 'objects.put-256m',
      value: least(puts),
      unit: 'ms',
      baseline: least(floors),
      goal: { of: 'ratio', atMost: 1.3 },
      note: 'floor: SHA-256, then MD5, then write and fsync',
    }),
    benchRow({
      name: 'objects.get-256m',
      value: least(gets),
      unit: 'ms',
      baseline: least(plains),
      goal: { of: 'ratio', atMost: 1.2 },
      note: 'baseline: a file stream',
    }),
  ];
}

/** How long nothing else gets its turn, while eight put; the baseline is the same machine with a loop that does nothing. */
async function loopRows(store: ObjectStore): Promise<BenchRow[]> {
  const delays = async (work: () => Promise<unknown>): Promise<number> => {
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    await work();
    histogram.disable();
    return histogram.percentile(99) / 1e6;
  };
  const data = randomBytes(KIB);
  const idle = await delays(() => rate(1, () => turn()));
  const latencies: number[] = [];
  const busy = await delays(() =>
    rate(
      LANES,
      async (lane, round) => void latencies.push(await tookMs(() => put(store, `loop/${lane}/${round}`, data))),
    ),
  );
  const p99 = latencies.sort((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? Infinity;
  return [
    benchRow({
      name: 'objects.loop-p99-at-8-puts',
      value: busy,
      unit: 'ms',
      baseline: idle,
      note: 'delay of the event loop, checkpoints included; baseline: a loop that does nothing',
    }),
    benchRow({ name: 'objects.put-1k-at-8-p99', value: p99, unit: 'ms' }),
  ];
}

async function listRows(dir: string, progress: BenchContext['progress']): Promise<BenchRow[]> {
  progress(`seeding ${SEEDED_KEYS} keys through the index`);
  await seedBucket(dir, bucketSample('seeded'));
  const store = await openObjects(dir);
  const lists: number[] = [];
  const folded: number[] = [];
  for (let round = 0; round < 30; round += 1) {
    const after = seededKey(((round * 37) % 900) * 1000 + 500);
    lists.push(await tookMs(() => store.list('seeded', { prefix: '', delimiter: '', after, max: PAGE })));
    folded.push(await tookMs(() => store.list('seeded', { prefix: '', delimiter: '/', after: '', max: PAGE })));
  }
  const beganMs = performance.now();
  let listed = 0;
  for (let after: string | undefined = ''; after !== undefined && listed < 200_000;) {
    const page: Awaited<ReturnType<ObjectStore['list']>> = await store.list('seeded', {
      prefix: '',
      delimiter: '',
      after,
      max: PAGE,
    });
    listed += page.rows.length;
    after = page.next;
  }
  const perSecond = listed / ((performance.now() - beganMs) / 1000);
  await store.close();
  const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Infinity;
  const note = `of ${SEEDED_KEYS} keys that were seeded through the index`;
  const goal = { of: 'value', atMost: 15 } as const;
  return [
    benchRow({ name: 'objects.list-1000', value: median(lists), unit: 'ms', goal, note }),
    benchRow({
      name: 'objects.list-1000-prefixes',
      value: median(folded),
      unit: 'ms',
      note: `${note}: 1,000 common prefixes, each of 1,000 keys`,
    }),
    benchRow({ name: 'objects.list-rate', value: perSecond, unit: '1/s', note }),
  ];
}

export const bench: Bench = async ({ progress }) => {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'novactl-bench-'));
  try {
    const rows = await listRows(path.join(dir, 'listed'), progress);
    const store = await openObjects(path.join(dir, 'objects'));
    await store.createBucket(bucketSample('b'));
    for (const [name, sizeBytes] of [
      ['1k', KIB],
      ['1m', MIB],
    ] as const) {
      progress(`PUT and GET of ${name}`);
      rows.push(...(await smallRows(store, dir, sizeBytes, name)));
    }
    progress('PUT and GET of 256 MiB');
    rows.push(...(await largeRows(store, dir)));
    progress('the event loop under PUTs');
    rows.push(...(await loopRows(store)));
    await store.close();
    return rows;
  } finally {
    await fs.rm(dir, { recursive: true });
  }
};
