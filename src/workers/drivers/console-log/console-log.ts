import { CloudError, isCode } from '../../../base/errors.ts';
import type { ConsoleLogAsk, ConsoleLogSlice } from '../../../ports/host-drivers.ts';
import type { HostShell } from '../../../ports/host-shell.ts';

/** virtlogd renames console.log to .0, .0 to .1 and so on; max_backups of virtlogd.conf is 3 unless somebody raised it. */
const OLDER_FILES = 9;
/** A file that is renamed between our look and our reading is looked for again. */
const TRIES = 4;

export interface LogFile {
  readonly path: string;
  readonly inode: string;
  readonly sizeBytes: number;
}

export interface LogPlace {
  readonly inode: string;
  readonly offset: number;
}

/** The files that `stat -c '%i %s %n'` found, oldest first. */
export function parseLogFiles(text: string, path: string): LogFile[] {
  const files = new Map<string, LogFile>();
  for (const line of text.split('\n')) {
    const [, inode, size, name] = /^(\d+) (\d+) (.+)$/.exec(line) ?? [];
    if (inode !== undefined && name !== undefined) files.set(name, { path: name, inode, sizeBytes: Number(size) });
  }
  const names = [...Array.from({ length: OLDER_FILES }, (_, index) => `${path}.${OLDER_FILES - 1 - index}`), path];
  return names.map((name) => files.get(name)).filter((file) => file !== undefined);
}

/** Where reading begins: index into the files, and whether what lay before is gone. */
export function placeOf(
  files: readonly LogFile[],
  ask: Pick<ConsoleLogAsk, 'cursor' | 'tailBytes'>,
): { index: number; offset: number; skipped: boolean } {
  const cursor = parseCursor(ask.cursor);
  if (cursor === 'begin') return { index: 0, offset: 0, skipped: false };
  if (cursor !== undefined) {
    const index = files.findIndex((file) => file.inode === cursor.inode);
    const file = files[index];
    if (file !== undefined) {
      // A file that got shorter was emptied by somebody: it is read from its start.
      const offset = cursor.offset <= file.sizeBytes ? cursor.offset : 0;
      return { index, offset, skipped: offset !== cursor.offset };
    }
    return { index: 0, offset: 0, skipped: true };
  }
  let left = ask.tailBytes;
  for (let index = files.length - 1; index >= 0; index -= 1) {
    const size = files[index]?.sizeBytes ?? 0;
    if (left <= size) return { index, offset: size - left, skipped: false };
    left -= size;
  }
  return { index: 0, offset: 0, skipped: false };
}

/** '' is the place in a log that did not exist yet. */
function parseCursor(text: string | undefined): LogPlace | 'begin' | undefined {
  if (text === undefined) return undefined;
  if (text === '') return 'begin';
  const [, inode, offset] = /^(\d+)\.(\d+)$/.exec(text) ?? [];
  if (inode === undefined || !Number.isSafeInteger(Number(offset))) {
    throw new CloudError('InvalidParameterValue', 'Cursor: must be one that WatchConsole gave', {
      details: { parameter: 'Cursor' },
    });
  }
  return { inode, offset: Number(offset) };
}

export interface ConsoleLog {
  read(path: string, ask: ConsoleLogAsk): Promise<ConsoleLogSlice>;
}

/** Reads a serial console's log through virtlogd's rotation: a cursor names a file by its inode, which a rename does not change. */
export function createConsoleLog(shell: Pick<HostShell, 'exec' | 'readFile'>): ConsoleLog {
  const look = async (path: string): Promise<LogFile[]> => {
    const older = Array.from({ length: OLDER_FILES }, (_, index) => `${path}.${index}`);
    // Its exit code says only that some of them do not exist.
    const { stdout } = await shell.exec(['stat', '-c', '%i %s %n', path, ...older]);
    return parseLogFiles(stdout, path);
  };
  const readOnce = async (path: string, ask: ConsoleLogAsk): Promise<ConsoleLogSlice | undefined> => {
    const files = await look(path);
    if (files.length === 0) return { data: Buffer.alloc(0), cursor: ask.cursor ?? '', skipped: false, more: false };
    const { skipped, ...place } = placeOf(files, ask);
    let { index, offset } = place;
    // At the end of a file that is not the newest the next one follows.
    while (index < files.length - 1 && offset >= (files[index]?.sizeBytes ?? 0)) [index, offset] = [index + 1, 0];
    const file = files[index];
    if (file === undefined) return undefined;
    const size = Math.min(ask.maxBytes, file.sizeBytes - offset);
    const data = size <= 0 ? Buffer.alloc(0) : await shell.readFile(file.path, { fromByte: offset, maxBytes: size });
    if (size > 0) {
      const { stdout } = await shell.exec(['stat', '-c', '%i', file.path]);
      if (stdout.trim() !== file.inode) return undefined;
    }
    const end = offset + data.length;
    const more = end < file.sizeBytes || index < files.length - 1;
    return { data, cursor: `${file.inode}.${end}`, skipped, more };
  };
  return {
    async read(path, ask) {
      for (let attempt = 0; attempt < TRIES; attempt += 1) {
        try {
          const slice = await readOnce(path, ask);
          if (slice !== undefined) return slice;
        } catch (error) {
          if (!isCode(error, 'NotFound')) throw error;
        }
      }
      throw new CloudError('HostError', `${path} is renamed faster than it can be read; try again`);
    },
  };
}
