import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { Adapter } from 'lowdb';
import { CloudError } from '../../base/errors.ts';
import { KIB, MIB } from '../../base/units.ts';
import type { Entry } from '../../ports/store.ts';
import type { FilePort, PortFile } from './file-port.ts';
import type { SavedToken } from './token-book.ts';
import { deepFreeze } from './txn-check.ts';

export const SNAPSHOT = {
  current: 'replica.json',
  previous: 'replica.previous.json',
  temporary: 'replica.json.tmp',
} as const;

const FORMAT = 'novactl-replica';
const VERSION = 1;
/** How much text is made before the event loop gets a turn: about a millisecond's work. */
const SLICE_CHARS = 128 * KIB;
/** The disk gets its share as the file grows, so that the sync at the end does not hold up the journal's. */
const SYNC_BYTES = 4 * MIB;
const NEWLINE = 0x0a;
const COMMA = 0x2c;
const BRACE = 0x7b;

/** The whole state at one revision: what lowdb holds. The iterables may be lazy. */
export interface ReplicaImage {
  readonly rev: number;
  /** ISO 8601. */
  readonly savedAt: string;
  readonly entries: Iterable<Entry>;
  readonly tokens: Iterable<SavedToken>;
}

interface Counts {
  readonly entryCount: number;
  readonly tokenCount: number;
}

interface Footer extends Counts {
  readonly crc32: number;
}

/**
 * The file is one JSON document, a record a line, and its last line carries the CRC-32 of all bytes before that line:
 *   {"format":"novactl-replica","version":1,"rev":7,"savedAt":"...","entries":[
 *   {"key":"a","value":1,"rev":7},
 *   {"key":"b","value":2,"rev":5}
 *   ],"tokens":[
 *   {"token":"t","rev":7,"atMs":0}
 *   ],
 *   "entryCount":2,"tokenCount":1,"crc32":123}
 */
function* renderImage(image: ReplicaImage): Generator<string, Counts> {
  const { rev, savedAt } = image;
  const head = JSON.stringify({ format: FORMAT, version: VERSION, rev, savedAt });
  yield `${head.slice(0, -1)},"entries":[\n`;
  let entryCount = 0;
  for (const { key, value, rev: entryRev } of image.entries) {
    yield `${entryCount === 0 ? '' : ',\n'}${JSON.stringify({ key, value, rev: entryRev })}`;
    entryCount += 1;
  }
  yield '\n],"tokens":[\n';
  let tokenCount = 0;
  for (const { token, rev: tokenRev, atMs } of image.tokens) {
    yield `${tokenCount === 0 ? '' : ',\n'}${JSON.stringify({ token, rev: tokenRev, atMs })}`;
    tokenCount += 1;
  }
  yield '\n],\n';
  return { entryCount, tokenCount };
}

export interface SnapshotOptions {
  readonly dir: string;
  readonly files: FilePort;
  /** Runs in a later turn of the event loop. */
  readonly defer: (run: () => void) => void;
  /** Told before bytes go to the disk; throws to give up. */
  readonly onWrite?: (bytes: number) => void;
  /** Which file to read; `write` always makes the current one. */
  readonly file?: string;
  /** A sound current file is there: it becomes the previous one when a new one is written. */
  readonly hasCurrent?: boolean;
}

/**
 * lowdb's way to the disk. `write` makes the file beside, syncs it, keeps the one that was there as the previous generation, renames
 * and syncs the folder; it yields to the event loop after each slice. `read` answers null when the file is absent and throws
 * CloudError 'CorruptState' when it is damaged.
 */
export class SnapshotAdapter implements Adapter<ReplicaImage> {
  readonly #options: SnapshotOptions;
  #hasCurrent: boolean;

  constructor(options: SnapshotOptions) {
    this.#options = options;
    this.#hasCurrent = options.hasCurrent ?? false;
  }

  async read(): Promise<ReplicaImage | null> {
    const file = path.join(this.#options.dir, this.#options.file ?? SNAPSHOT.current);
    const data = await this.#options.files.read(file);
    return data === undefined ? null : parseImage(file, data);
  }

  async write(image: ReplicaImage): Promise<void> {
    const { dir, files } = this.#options;
    const temporary = path.join(dir, SNAPSHOT.temporary);
    const current = path.join(dir, SNAPSHOT.current);
    try {
      const file = await files.open(temporary, { truncate: true });
      try {
        await this.#writeBody(file, image);
      } finally {
        await file.close();
      }
    } catch (error) {
      await files.remove(temporary).catch(() => undefined);
      throw error;
    }
    if (this.#hasCurrent) await files.rename(current, path.join(dir, SNAPSHOT.previous));
    this.#hasCurrent = false;
    await files.rename(temporary, current);
    this.#hasCurrent = true;
    await files.syncDir(dir);
  }

  async #writeBody(file: PortFile, image: ReplicaImage): Promise<void> {
    let crc = 0;
    let position = 0;
    let synced = 0;
    const put = async (text: string): Promise<void> => {
      const data = Buffer.from(text);
      crc = crc32(data, crc);
      this.#options.onWrite?.(data.length);
      await file.write(data, position);
      position += data.length;
      if (position - synced < SYNC_BYTES) return;
      synced = position;
      await file.datasync();
    };
    const pieces = renderImage(image);
    let slice: string[] = [];
    let chars = 0;
    let piece = pieces.next();
    for (; piece.done !== true; piece = pieces.next()) {
      slice.push(piece.value);
      chars += piece.value.length;
      if (chars < SLICE_CHARS) continue;
      await put(slice.join(''));
      await new Promise<void>((resolve) => this.#options.defer(resolve));
      slice = [];
      chars = 0;
    }
    await put(slice.join(''));
    await put(`${JSON.stringify({ ...piece.value, crc32: crc }).slice(1)}\n`);
    await file.datasync();
  }
}

function damaged(file: string, offset: number, what: string): CloudError {
  return new CloudError('CorruptState', `${file} is damaged at byte ${offset}: ${what}`, { details: { file, offset } });
}

/** The last line, checked against everything before it. */
function checkFooter(file: string, data: Buffer): { footer: Footer; start: number } {
  const start = data.lastIndexOf(NEWLINE, data.length - 2) + 1;
  let footer: Footer;
  try {
    footer = JSON.parse(`{${data.toString('utf8', start)}`) as Footer;
  } catch {
    throw damaged(file, start, 'the last line, which holds the checksum, is not whole');
  }
  if (crc32(data.subarray(0, start)) !== footer.crc32) throw damaged(file, 0, 'the checksum does not match');
  return { footer, start };
}

function parseImage(file: string, data: Buffer): ReplicaImage {
  const { footer, start } = checkFooter(file, data);
  const headEnd = data.indexOf(NEWLINE);
  const head = JSON.parse(`${data.toString('utf8', 0, headEnd)}]}`) as {
    format: string;
    version: number;
    rev: number;
    savedAt: string;
  };
  if (head.format !== FORMAT || head.version !== VERSION) {
    throw new CloudError(
      'CorruptState',
      `${file} has format ${head.format} ${head.version}; this novactl reads ${FORMAT} ${VERSION}: use the version that wrote it`,
      {
        details: { file, offset: 0, unknownFormat: true },
      },
    );
  }
  const entries: Entry[] = [];
  const tokens: SavedToken[] = [];
  let sink: unknown[] = entries;
  for (let at = headEnd + 1; at < start;) {
    const end = data.indexOf(NEWLINE, at);
    const isRecord = data[at] === BRACE;
    const last = data[end - 1] === COMMA ? end - 1 : end;
    if (isRecord) sink.push(deepFreeze(JSON.parse(data.toString('utf8', at, last))));
    else sink = tokens;
    at = end + 1;
  }
  if (entries.length !== footer.entryCount || tokens.length !== footer.tokenCount) {
    throw damaged(file, start, 'the counts do not match');
  }
  return { rev: head.rev, savedAt: head.savedAt, entries, tokens };
}
