import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openObjectStore, type ObjectStoreParts } from '../../../../src/adapters/objects/object-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import type { ObjectStore } from '../../../../src/ports/object-store.ts';

export function newDir(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'novactl-objects-'));
}

/** Removed when the test ends. */
export async function scratchDir(): Promise<string> {
  const dir = await newDir();
  onTestFinished(() => rm(dir, { recursive: true }));
  return dir;
}

export function openAt(dir: string, parts: Partial<ObjectStoreParts> = {}): Promise<ObjectStore> {
  return openObjectStore({ dir, clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger, ...parts });
}

/** Files of segments, whole or half, below the folder. */
export async function segmentFiles(dir: string): Promise<string[]> {
  const files = await Promise.all(
    ['tmp', 'data'].map((folder) => readdir(join(dir, folder), { recursive: true, withFileTypes: true })),
  );
  return files.flat().flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : []));
}
