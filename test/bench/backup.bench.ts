import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { promisify } from 'node:util';
import { deflateRaw } from 'node:zlib';
import { createFileArchives } from '../../src/adapters/archive/file-archives.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { SystemRandom } from '../../src/base/random.ts';
import { restoreState } from '../../src/launch/restore-state.ts';
import type { Entry } from '../../src/ports/store.ts';
import { benchRow, type Bench, type BenchRow } from './bench-row.ts';

const RECORDS = 10_000;
const ROUNDS = 5;
const deflate = promisify(deflateRaw);

function instances(): Entry[] {
  return Array.from({ length: RECORDS }, (_, at) => {
    const id = `i-${String(at).padStart(17, '0')}`;
    const nic = { networkId: 'net-00000000000000001', address: `10.200.${at >> 8}.${at & 255}`, tap: `nvt${at}` };
    const value = {
      v: 1,
      id,
      hostId: `h-${at % 50}`,
      projectId: 'admin',
      state: 'running',
      nic,
      text: 'x'.repeat(400),
    };
    return { key: `instance/${id}`, value, rev: at + 1 };
  });
}

/** The same bytes, packed at once and synced: nothing less can keep them. */
async function bare(path: string, records: readonly Entry[]): Promise<void> {
  const text = records.map((entry) => JSON.stringify(entry)).join('\n');
  const file = await open(path, 'w');
  await file.write(await deflate(text));
  await file.sync();
  await file.close();
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0;

export const backupBench: Bench = async ({ progress }) => {
  const dir = mkdtempSync(join(tmpdir(), 'novactl-bench-'));
  const random = new SystemRandom();
  const clock = new SystemClock();
  const records = instances();
  const blobs = { read: () => Promise.reject(new Error('no images are asked for')) };
  const archives = createFileArchives({ stateDir: dir, dir: join(dir, 'backups'), blobs, random });
  const { signal } = new AbortController();
  let stallMs = 0;
  const [took, baseline, restored]: [number[], number[], number[]] = [[], [], []];
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      progress(`backup of ${RECORDS} records, ${round + 1} of ${ROUNDS}`);
      const to = join(dir, `${round}.novactl`);
      const header = { cloudId: 'c', rev: RECORDS, createdAtMs: 0, version: '0', secrets: false, images: false };
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      took.push(await timed(() => archives.write({ header, records, images: [], to }, signal)));
      delay.disable();
      stallMs = Math.max(stallMs, delay.max / 1e6);
      baseline.push(await timed(() => bare(join(dir, 'bare'), records)));
      const stateDir = join(dir, `state-${round}`);
      restored.push(await timed(() => restoreState({ archive: to, stateDir, force: false, clock, random })));
    }
    const rows: BenchRow[] = [
      benchRow({
        name: 'backup.write-and-prove-10k',
        value: median(took),
        unit: 'ms',
        baseline: median(baseline),
        note: `${RECORDS} records of about 600 bytes, written, synced, read back and compared; baseline: packed and synced only`,
      }),
      benchRow({
        name: 'backup.longest-stall',
        value: stallMs,
        unit: 'ms',
        note: 'of the event loop meanwhile',
      }),
      benchRow({
        name: 'backup.restore-10k',
        value: median(restored),
        unit: 'ms',
        note: 'checked, written and compared',
      }),
    ];
    return rows;
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
};

export const bench = backupBench;
