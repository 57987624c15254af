import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { type FileStoreOptions, openFileStore } from '../../../../src/adapters/store/file-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import type { Json } from '../../../../src/base/json.ts';
import type { Store } from '../../../../src/ports/store.ts';

export const clock = new SystemClock();

/** An empty folder, gone after the test. */
export async function scratchDir(): Promise<string> {
  const dir = await mkdtemp(path.join(os.tmpdir(), 'novactl-store-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

export function openAt(dir: string, tunables: Partial<FileStoreOptions> = {}): Promise<Store> {
  return openFileStore({ dir, clock, random: new SystemRandom(), logger: silentLogger, ...tunables });
}

/** One transaction a key: revision n + 1 for the n-th. */
export async function fill(store: Store, count: number, from = 0): Promise<void> {
  for (let n = from; n < from + count; n += 1) {
    const result = await store.txn({ token: `t${n}`, puts: [{ key: `k${n}`, value: { n } }] });
    if (!result.ok) throw new Error('conflict');
  }
}

export function contents(store: Store): Record<string, Json> {
  return Object.fromEntries(store.range('').map(({ key, value }) => [key, value]));
}

/** What `fill` leaves behind. */
export function filled(count: number): Record<string, Json> {
  return Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, { n }]));
}
