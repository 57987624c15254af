import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GIB, KIB, MIB } from '../../src/base/units.ts';
import { bucketSample } from '../support/object-samples.ts';
import { benchRow, type Bench, type BenchFigure, type BenchRow } from './bench-row.ts';
import { cpuSeconds } from './process-cpu.ts';
import type { LoadResult } from './s3-load.ts';
import { S3Bench } from './s3-servers.ts';
import { seedBucket, SEEDED_KEYS, seededKey } from './seeded-bucket.ts';
import { median } from './spread.ts';

/** Sections by name, for whoever looks at one of them; all when it is not set. */
const ONLY = process.env['NOVACTL_S3_BENCH']?.split(',');
const ROUNDS = 3;
const LANES = 16;
const CLIENTS = 8;
const PAGE = 1000;

const run = promisify(execFile);

interface Parts {
  readonly bench: S3Bench;
  /** Of the files that the plain server serves. */
  readonly plain: string;
  /** On the same disk. */
  readonly scratch: string;
  readonly progress: (text: string) => void;
}

const mibPerSecond = ({ bytes, seconds }: LoadResult): number => bytes / MIB / seconds;
const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, n) => `/bench/${prefix}-${n}`);

/** A file of random bytes below what the plain server serves, in the place of an object. */
async function makeFile(plain: string, target: string, sizeBytes: number): Promise<string> {
  const file = join(plain, target);
  await fs.mkdir(join(plain, 'bench'), { recursive: true });
  const handle = await fs.open(file, 'w');
  for (let left = sizeBytes; left > 0; left -= 8 * MIB) await handle.write(randomBytes(Math.min(8 * MIB, left)));
  await handle.sync();
  await handle.close();
  return file;
}

/** Seconds for a file's SHA-256, its MD5, and a synced copy, one after the other: three programs and no network. */
async function floorSeconds(file: string, scratch: string): Promise<number> {
  const copy = join(scratch, 'copy');
  await fs.rm(copy, { force: true });
  const beganMs = performance.now();
  await run('openssl', ['dgst', '-sha256', file]);
  await run('openssl', ['dgst', '-md5', file]);
  await run('dd', [`if=${file}`, `of=${copy}`, 'bs=1M', 'conv=fsync']);
  return (performance.now() - beganMs) / 1000;
}

/** One and sixteen clients with objects of a size; the same bytes as one file on the floor, and as many files from the plain server. */
async function sizeRows(parts: Parts, name: string, sizeBytes: number, counts: readonly number[]): Promise<BenchRow[]> {
  const { bench, plain, scratch, progress } = parts;
  const rows: BenchRow[] = [];
  // All sixteen read the same one where sixteen would not fit into memory.
  const files = names(name, sizeBytes < GIB ? LANES : 1);
  for (const file of files) await makeFile(plain, file, sizeBytes);
  for (const [at, lanes] of [1, LANES].entries()) {
    const count = counts[at] ?? lanes;
    progress(`${count} objects of ${name}, ${lanes} at a time`);
    const targets = names(name, count);
    const wholeBytes = Math.min(sizeBytes * count, GIB);
    const whole = await makeFile(plain, '/bench/whole', wholeBytes);
    const floor = wholeBytes / MIB / (await floorSeconds(whole, scratch));
    // The client makes a large body of one block, again and again, and has no digest of the whole.
    const payload = sizeBytes < GIB ? 'hash' : 'unsigned';
    const put = await bench.s3({ method: 'PUT', lanes, count, targets, sizeBytes }, payload);
    const get = { method: 'GET', lanes, count, targets: files, sizeBytes } as const;
    const [bare, got] = [await bench.plain(get), await bench.s3(get)];
    const row = (what: string, value: number, baseline: number, note: string): BenchRow =>
      benchRow({ name: `s3.${what}-${name}-at-${lanes}`, value, unit: 'MiB/s', baseline, note });
    rows.push(
      row(
        'put',
        mibPerSecond(put),
        floor,
        'baseline: openssl dgst -sha256, -md5, dd conv=fsync of the same bytes as one file, of 1 GiB at most',
      ),
    );
    rows.push(row('get', mibPerSecond(got), mibPerSecond(bare), 'baseline: a plain node:http file server'));
  }
  return rows;
}

/** 1 GiB: floor and PUT, plain and GET in turn, so that the machine's moods fall on both. */
async function giantRows({ bench, plain, scratch, progress }: Parts): Promise<BenchRow[]> {
  const targets = ['/bench/giant'];
  const file = await makeFile(plain, '/bench/giant', GIB);
  const taken: Record<'floor' | 'put' | 'unsigned' | 'bare' | 'got' | 'cpu', number[]> = {
    ...{ floor: [], put: [], unsigned: [], bare: [], got: [], cpu: [] },
  };
  const put = { method: 'PUT', lanes: 1, count: 1, targets, sizeBytes: GIB } as const;
  const get = { ...put, method: 'GET' } as const;
  for (let round = 1; round <= ROUNDS; round += 1) {
    progress(`1 GiB, round ${round} of ${ROUNDS}`);
    taken.floor.push(await floorSeconds(file, scratch));
    const cpu = cpuSeconds(bench.pid);
    taken.put.push((await bench.s3(put, 'unsigned')).seconds);
    taken.cpu.push(cpuSeconds(bench.pid) - cpu);
    taken.bare.push((await bench.plain(get)).seconds);
    taken.got.push((await bench.s3(get)).seconds);
  }
  const least = (values: readonly number[]): number => Math.min(...values);
  const note = `the best of ${ROUNDS} each, in turn`;
  const row = (figure: BenchFigure): BenchRow => benchRow({ ...figure, unit: 's' });
  return [
    row({
      ...{ name: 's3.put-1g', value: least(taken.put), unit: 's', baseline: least(taken.floor) },
      ...{
        goal: { of: 'ratio', atMost: 1.3 },
        note: `${note}; UNSIGNED-PAYLOAD; baseline: openssl dgst -sha256, -md5, dd conv=fsync`,
      },
    }),
    row({ name: 's3.put-1g-cpu', value: median(taken.cpu), unit: 's', note: "the server's processor time" }),
    row({
      ...{ name: 's3.get-1g', value: least(taken.got), unit: 's', baseline: least(taken.bare) },
      ...{ goal: { of: 'ratio', atMost: 1.2 }, note: `${note}; baseline: a plain node:http file server` },
    }),
  ];
}

/** Requests a second at 8 connections. */
async function rateRows({ bench, plain, progress }: Parts): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  const take = async (
    figure: Pick<BenchFigure, 'name' | 'goal' | 'note'>,
    asked: {
      readonly method: 'GET' | 'PUT';
      readonly count: number;
      readonly targets: readonly string[];
      readonly sizeBytes: number;
    },
    payload: 'hash' | 'unsigned' = 'hash',
  ): Promise<void> => {
    const job = { ...asked, lanes: CLIENTS };
    progress(`${figure.name}: ${job.count} requests`);
    const bare = job.method === 'GET' ? await bench.plain(job) : undefined;
    const cpu = cpuSeconds(bench.pid);
    const taken = await bench.s3(job, payload);
    const cpuMs = ((cpuSeconds(bench.pid) - cpu) * 1000) / job.count;
    const baseline = bare === undefined ? {} : { baseline: job.count / bare.seconds };
    rows.push(benchRow({ ...figure, unit: '1/s', value: job.count / taken.seconds, ...baseline }));
    rows.push(benchRow({ name: `${figure.name}-p99`, unit: 'ms', value: taken.p99Ms }));
    rows.push(
      benchRow({ name: `${figure.name}-cpu`, unit: 'ms', value: cpuMs, note: "the server's processor time for one" }),
    );
  };
  const atLeast = (bound: number): Pick<BenchFigure, 'goal'> => ({ goal: { of: 'value', atLeast: bound } });
  const note = `${CLIENTS} connections; baseline: a plain node:http file server`;
  for (const [name, sizeBytes] of [
    ['1k', KIB],
    ['1m', MIB],
  ] as const) {
    const files = names(`rate-${name}`, 100);
    for (const file of files) await makeFile(plain, file, sizeBytes);
    const count = sizeBytes === KIB ? 6000 : 1000;
    const put = { method: 'PUT', targets: names(`rate-${name}`, count), sizeBytes } as const;
    const get = { method: 'GET', targets: files, sizeBytes } as const;
    // Before time is taken, so that what is measured is a server that has run for a moment.
    await bench.s3({ ...put, lanes: CLIENTS, count: Math.min(count, 2000) });
    await bench.s3({ ...get, lanes: CLIENTS, count: 1000 });
    await bench.plain({ ...get, lanes: CLIENTS, count: 1000 });
    await take(
      {
        name: `s3.put-${name}-at-8`,
        note: `${CLIENTS} connections, the body's SHA-256 signed`,
        ...(name === '1k' ? atLeast(1500) : {}),
      },
      { ...put, count },
    );
    await take(
      { name: `s3.put-${name}-unsigned-at-8`, note: `${CLIENTS} connections, UNSIGNED-PAYLOAD` },
      { ...put, count },
      'unsigned',
    );
    await take(
      { name: `s3.get-${name}-at-8`, note, ...atLeast(name === '1k' ? 1500 : 1000) },
      { ...get, count: sizeBytes === KIB ? 10_000 : 4000 },
    );
  }
  return rows;
}

async function listRows({ bench, progress }: Parts): Promise<BenchRow[]> {
  progress(`lists of ${SEEDED_KEYS} keys`);
  const pages = Array.from({ length: 30 }, (_, n) => seededKey(((n * 37) % 900) * 1000 + 500));
  const targets = pages.map((after) => `/seeded?list-type=2&max-keys=${PAGE}&start-after=${encodeURIComponent(after)}`);
  const job = { method: 'GET', lanes: 1, count: 200, targets, sizeBytes: 0 } as const;
  await bench.s3({ ...job, count: 30 });
  const { p50Ms, p99Ms } = await bench.s3(job);
  const note = `ListObjectsV2 over HTTP, of ${SEEDED_KEYS} keys that were seeded through the index`;
  return [
    benchRow({ name: 's3.list-1000', value: p50Ms, unit: 'ms', goal: { of: 'value', atMost: 15 }, note }),
    benchRow({ name: 's3.list-1000-p99', value: p99Ms, unit: 'ms' }),
    benchRow({ name: 's3.list-rate', value: PAGE / (p50Ms / 1000), unit: 'keys/s', note: 'by the median page' }),
  ];
}

const SECTIONS: Readonly<Record<string, (parts: Parts) => Promise<BenchRow[]>>> = {
  list: listRows,
  rates: rateRows,
  giant: giantRows,
  '4k': (parts) => sizeRows(parts, '4k', 4 * KIB, [2000, 8000]),
  '1m': (parts) => sizeRows(parts, '1m', MIB, [200, 800]),
  '1g': (parts) => sizeRows(parts, '1g', GIB, [1, LANES]),
};

/** S3 over HTTP with signature version 4, on `novactl sandbox` with its state in files; server, plain file server and client are three processes. */
export const bench: Bench = async ({ progress }) => {
  const dir = await fs.mkdtemp(join(tmpdir(), 'nv-bench-s3-'));
  const [state, plain, scratch] = [join(dir, 'state'), join(dir, 'plain'), dir];
  let servers: S3Bench | undefined;
  try {
    await fs.mkdir(plain);
    await fs.mkdir(join(state, 'objects'), { recursive: true, mode: 0o700 });
    progress(`seeding ${SEEDED_KEYS} keys through the index`);
    await seedBucket(join(state, 'objects'), bucketSample('seeded', { projectId: 'admin' }));
    servers = await S3Bench.start({ state, plain });
    await servers.s3({ method: 'PUT', lanes: 1, count: 1, targets: ['/bench'], sizeBytes: 0 });
    const rows: BenchRow[] = [];
    for (const [name, section] of Object.entries(SECTIONS)) {
      if (ONLY === undefined || ONLY.includes(name))
        rows.push(...(await section({ bench: servers, plain, scratch, progress })));
    }
    return rows;
  } finally {
    await servers?.close();
    await fs.rm(dir, { recursive: true, force: true });
  }
};
