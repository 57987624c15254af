import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../base/durable-file.ts';
import { freeBytes } from '../base/free-bytes.ts';
import { type KeepingNotes, ObjectKeeper, type ObjectKeeperParts } from '../controller/objects/object-keeper.ts';

const FILE = 'keeping.json';

/** Notes that are gone or can't be read are only forgotten: the next scrub and collection come sooner. */
async function readNotes(path: string): Promise<KeepingNotes> {
  try {
    const notes = JSON.parse(await readFile(path, 'utf8')) as Partial<KeepingNotes>;
    return notes.v === 1 ? { ...notes, v: 1 } : { v: 1 };
  } catch {
    return { v: 1 };
  }
}

/** Looks after the objects of a folder, and keeps its notes there. */
export async function openKeeper(
  dir: string,
  parts: Pick<ObjectKeeperParts, 'store' | 'clock' | 'logger'>,
): Promise<ObjectKeeper> {
  const path = join(dir, FILE);
  const tmpPath = `${path}.tmp`;
  return new ObjectKeeper({
    ...parts,
    notes: await readNotes(path),
    async write(notes) {
      // Of a process that was killed at it.
      await rm(tmpPath, { force: true });
      await writeDurably(path, [Buffer.from(`${JSON.stringify(notes)}\n`)], { mode: 0o600, tmpPath });
    },
    freeBytes: () => freeBytes(dir),
  });
}
