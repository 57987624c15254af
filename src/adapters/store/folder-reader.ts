import fs from 'node:fs/promises';
import path from 'node:path';
import { CloudError, isCode } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import type { Change } from '../../ports/store.ts';
import type { FilePort } from './file-port.ts';
import { type Batch, findFrame, readFrame } from './frame.ts';
import { segmentName, segmentRevs } from './journal.ts';
import type { ReplicaMap } from './replica-map.ts';
import { type ReplicaImage, SNAPSHOT, SnapshotAdapter } from './snapshot.ts';
import { deepFreeze } from './txn-check.ts';

/** What is under a reader's hands may be replaced so often before it gives up. */
const TRIES = 8;

export interface FolderReaderOptions {
  readonly dir: string;
  readonly files: Pick<FilePort, 'list' | 'read'>;
  readonly newReplica: () => ReplicaMap;
}

/** The folder was changed while it was read, or what we read of it last is gone: read all of it again. */
class Moved extends Error {}

interface Position {
  /** First revision of the segment. */
  readonly segment: number;
  readonly offset: number;
}

/** Reads a state folder that another process writes, and later what was appended since. Nothing in the folder is changed. */
export class FolderReader {
  readonly #options: FolderReaderOptions;
  #at: Position | undefined;
  #loaded = false;
  /** Nobody has seen the replica yet. */
  #first = true;

  constructor(options: FolderReaderOptions) {
    this.#options = options;
  }

  /** Brings the replica to the end of the journal. */
  async read(replica: ReplicaMap): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await (this.#loaded ? this.#goOn(replica) : this.#load(replica));
        return;
      } catch (error) {
        if (attempt >= TRIES || !(error instanceof Moved || isCode(error, 'CorruptState'))) throw refusal(error);
        // A snapshot that is replaced, a segment that is dropped and a record that is half written look like damage for a moment.
        this.#at = undefined;
        this.#loaded = false;
      }
    }
  }

  async #load(replica: ReplicaMap): Promise<void> {
    const fresh = this.#options.newReplica();
    const image = await this.#snapshot();
    fresh.load(image.entries, image.rev);
    const segments = segmentRevs(await this.#options.files.list(this.#options.dir));
    const first = segments.findLastIndex((rev) => rev <= image.rev + 1);
    if (segments.length > 0 && first < 0) throw new Moved('the journal does not reach back to the snapshot');
    for (const segment of first < 0 ? [] : segments.slice(first)) {
      await this.#segment(fresh, { segment, offset: 0 }, segment === segments.at(-1));
    }
    if (this.#first) {
      replica.load(fresh.range(''), fresh.rev);
    } else {
      for (const change of difference(replica, fresh)) replica.apply(change, 512 * change.ops.length);
    }
    this.#loaded = true;
    this.#first = false;
  }

  async #goOn(replica: ReplicaMap): Promise<void> {
    for (;;) {
      if (this.#at !== undefined) await this.#segment(replica, this.#at, true);
      const next = segmentRevs(await this.#options.files.list(this.#options.dir)).find(
        (rev) => rev === replica.rev + 1,
      );
      if (next === undefined || next === this.#at?.segment) return;
      this.#at = { segment: next, offset: 0 };
    }
  }

  /** The newest snapshot that is sound; an empty state where there is none. */
  async #snapshot(): Promise<ReplicaImage> {
    const { dir } = this.#options;
    const problems: unknown[] = [];
    for (const file of [SNAPSHOT.current, SNAPSHOT.previous]) {
      const files = this.#options.files as FilePort;
      const adapter = new SnapshotAdapter({ dir, files, file, defer: (run) => run() });
      try {
        const image = await adapter.read();
        if (image !== null) return image;
      } catch (error) {
        if (!isCode(error, 'CorruptState') || error.details?.['unknownFormat'] === true) throw error;
        problems.push(error);
      }
    }
    if (problems.length > 0) throw problems[0];
    return { rev: 0, savedAt: '', entries: [], tokens: [] };
  }

  async #segment(replica: ReplicaMap, at: Position, isLast: boolean): Promise<void> {
    const file = path.join(this.#options.dir, segmentName(at.segment));
    const data = await tailOf(file, at.offset);
    if (data === undefined) throw new Moved(`${file} is gone`);
    let offset = 0;
    for (let frame = readFrame(data, 0); frame !== undefined; frame = readFrame(data, offset)) {
      applyBatch(replica, JSON.parse(frame.payload.toString()) as Batch);
      offset = frame.end;
    }
    // What is behind the last sound record is being written, or was torn by a death: its owner cuts it off.
    if (offset < data.length && (!isLast || findFrame(data, offset + 1) !== undefined)) {
      const where = { file, offset: at.offset + offset };
      throw new CloudError(
        'CorruptState',
        `${file} is damaged at byte ${where.offset}: no sound record begins there. Nothing was changed; restore the folder from a backup`,
        { details: where },
      );
    }
    this.#at = { segment: at.segment, offset: at.offset + offset };
  }
}

function applyBatch(replica: ReplicaMap, batch: Batch): void {
  if (batch.prev > replica.rev) throw new Moved(`revision ${batch.prev + 1} follows ${replica.rev}`);
  for (const { rev, ops: writes } of batch.txns) {
    if (rev <= replica.rev) continue;
    const ops = writes.map(({ k, v }) => ({ key: k, value: deepFreeze(v) as Json | undefined }));
    replica.apply({ rev, ops }, 512 * writes.length);
  }
}

/** What leads from one state to a later one, for watchers that missed the steps between. */
function difference(from: ReplicaMap, to: ReplicaMap): Change[] {
  const byRev = new Map<number, { key: string; value: Json | undefined }[]>();
  const note = (rev: number, key: string, value: Json | undefined): void => {
    const ops = byRev.get(rev) ?? [];
    byRev.set(rev, ops);
    ops.push({ key, value });
  };
  for (const { key, value, rev } of to.range('')) if (from.get(key)?.rev !== rev) note(rev, key, value);
  for (const { key } of from.range('')) if (to.get(key) === undefined) note(to.rev, key, undefined);
  if (to.rev !== from.rev && !byRev.has(to.rev)) byRev.set(to.rev, []);
  return [...byRev].sort(([a], [b]) => a - b).map(([rev, ops]) => ({ rev, ops }));
}

function refusal(error: unknown): unknown {
  if (!(error instanceof Moved)) return error;
  return new CloudError('Unavailable', `the state can not be read now (${error.message}); try again`);
}

/** The bytes of a file from an offset on; undefined when it is absent or shorter. */
async function tailOf(file: string, offset: number): Promise<Buffer | undefined> {
  let handle: fs.FileHandle;
  try {
    handle = await fs.open(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const { size } = await handle.stat();
    if (size < offset) return undefined;
    const data = Buffer.alloc(size - offset);
    const { bytesRead } = await handle.read(data, 0, data.length, offset);
    return data.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
