import { appendFileSync, existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLocalShell } from '../../../../../src/adapters/host-shell/local-shell.ts';
import { SystemClock } from '../../../../../src/base/clock.ts';
import { SeededRandom } from '../../../../../src/base/random.ts';
import type { ConsoleLogSlice } from '../../../../../src/ports/host-drivers.ts';
import type { HostShell } from '../../../../../src/ports/host-shell.ts';
import {
  createConsoleLog,
  parseLogFiles,
  placeOf,
  type LogFile,
} from '../../../../../src/workers/drivers/console-log/console-log.ts';

const PATH = '/h/i-1/console.log';
const file = (name: string, inode: string, sizeBytes: number): LogFile => ({ path: name, inode, sizeBytes });
const FILES = [file(`${PATH}.1`, '7', 100), file(`${PATH}.0`, '5', 100), file(PATH, '9', 10)];

describe('the files of a log', () => {
  it('are found in the words of stat, oldest first', () => {
    expect(parseLogFiles(`9 10 ${PATH}\n5 100 ${PATH}.0\n7 100 ${PATH}.1\n`, PATH)).toEqual(FILES);
    expect(parseLogFiles('', PATH)).toEqual([]);
    expect(parseLogFiles('stat: cannot statx', PATH)).toEqual([]);
  });

  it.each([
    ['the end', { tailBytes: 0 }, { index: 2, offset: 10, skipped: false }],
    ['within the newest', { tailBytes: 4 }, { index: 2, offset: 6, skipped: false }],
    ['within an older one', { tailBytes: 30 }, { index: 1, offset: 80, skipped: false }],
    ['more than there is', { tailBytes: 9999 }, { index: 0, offset: 0, skipped: false }],
    ['a cursor in an older one', { cursor: '5.42', tailBytes: 0 }, { index: 1, offset: 42, skipped: false }],
    ['a cursor in one that is gone', { cursor: '3.42', tailBytes: 0 }, { index: 0, offset: 0, skipped: true }],
    [
      'a cursor behind the end of one that was emptied',
      { cursor: '9.42', tailBytes: 0 },
      { index: 2, offset: 0, skipped: true },
    ],
    ['the cursor of a log that did not exist', { cursor: '', tailBytes: 0 }, { index: 0, offset: 0, skipped: false }],
  ])('are begun at %s', (_what, ask, place) => {
    expect(placeOf(FILES, ask)).toEqual(place);
  });

  it('a cursor that is none is refused', () => {
    expect(() => placeOf(FILES, { cursor: 'x', tailBytes: 0 })).toThrow('must be one that WatchConsole gave');
  });
});

describe('[real] a log that is rotated while it is read', () => {
  let dir: string;
  let path: string;
  let shell: HostShell;

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'novactl-log-'));
    path = join(dir, 'console.log');
    shell = createLocalShell({ clock: new SystemClock(), random: new SeededRandom(1) });
  });
  afterEach(async () => {
    await shell.close();
    rmSync(dir, { recursive: true });
  });

  /** As virtlogd does it: .1 to .2, .0 to .1, the log to .0, and a new one. */
  function rotate(): void {
    for (const number of [1, 0]) {
      if (existsSync(`${path}.${number}`)) renameSync(`${path}.${number}`, `${path}.${number + 1}`);
    }
    renameSync(path, `${path}.0`);
    writeFileSync(path, '');
  }

  it('is read whole and once, however reads and rotations fall', async () => {
    const log = createConsoleLog(shell);
    writeFileSync(path, '');
    let written = '';
    let read = '';
    let cursor: string | undefined = '';
    for (let round = 0; round < 40; round += 1) {
      const line = `line ${round} ${'.'.repeat(round * 3)}\n`;
      appendFileSync(path, line);
      written += line;
      if (round % 7 === 3) rotate();
      if (round % 3 !== 0) continue;
      const slice: ConsoleLogSlice = await log.read(path, { cursor, tailBytes: 0, maxBytes: 50 + round });
      expect(slice.skipped).toBe(false);
      read += slice.data.toString();
      ({ cursor } = slice);
    }
    for (let more = true; more;) {
      const slice: ConsoleLogSlice = await log.read(path, { cursor, tailBytes: 0, maxBytes: 1000 });
      read += slice.data.toString();
      ({ cursor, more } = slice);
    }
    expect(read).toBe(written);
  });

  it('a rotation between the look and the reading is noticed', async () => {
    writeFileSync(path, 'before\n');
    let turned = false;
    const turning = {
      exec: shell.exec.bind(shell),
      readFile: async (...ask: Parameters<HostShell['readFile']>) => {
        if (!turned) {
          turned = true;
          rotate();
          appendFileSync(path, 'wrong file\n');
        }
        return shell.readFile(...ask);
      },
    };
    const slice = await createConsoleLog(turning).read(path, { cursor: '', tailBytes: 0, maxBytes: 7 });
    expect(slice).toMatchObject({ data: Buffer.from('before\n'), more: true, skipped: false });
  });

  it('that does not exist yet is empty, and is read from its beginning when it does', async () => {
    const log = createConsoleLog(shell);
    const none = await log.read(path, { tailBytes: 100, maxBytes: 100 });
    expect(none).toMatchObject({ data: Buffer.alloc(0), cursor: '', more: false });
    writeFileSync(path, 'first');
    const slice = await log.read(path, { cursor: none.cursor, tailBytes: 100, maxBytes: 100 });
    expect(slice.data.toString()).toBe('first');
  });
});
