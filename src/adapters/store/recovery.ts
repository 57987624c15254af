import path from 'node:path';
import { Low } from 'lowdb';
import { CloudError, isCode } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import type { Logger } from '../../base/logger.ts';
import type { FilePort, PortFile } from './file-port.ts';
import { type Batch, findFrame, readFrame } from './frame.ts';
import { segmentName, segmentRevs } from './journal.ts';
import type { ReplicaMap } from './replica-map.ts';
import { type ReplicaImage, SNAPSHOT, SnapshotAdapter } from './snapshot.ts';
import type { TokenBook } from './token-book.ts';
import { deepFreeze } from './txn-check.ts';

export interface RecoveryOptions {
  readonly dir: string;
  readonly files: FilePort;
  readonly logger: Logger;
  /** Filled. */
  readonly replica: ReplicaMap;
  /** Filled. */
  readonly tokens: TokenBook;
}

const EMPTY_IMAGE: ReplicaImage = { rev: 0, savedAt: '', entries: [], tokens: [] };

/** What a start found, and the journal's last segment, open and sound to its end. */
export interface Recovered {
  readonly segments: readonly number[];
  readonly file: PortFile;
  readonly sizeBytes: number;
  /** Revision of the snapshot that a new one would keep as the previous generation; 0: there is none. */
  readonly snapshotRev: number;
  readonly hasCurrent: boolean;
  /** What the journal held beyond the snapshot. */
  readonly replayedOps: number;
  readonly replayedBytes: number;
}

/** Where the sound frames of a segment end, and where the last of them begins. */
interface SegmentEnd {
  readonly end: number;
  readonly lastFrame: number | undefined;
  readonly ops: number;
}

interface Tail {
  readonly firstRev: number;
  readonly data: Buffer;
  readonly end: SegmentEnd;
}

function corrupt(file: string, offset: number, what: string): CloudError {
  return new CloudError(
    'CorruptState',
    `${file} is damaged at byte ${offset}: ${what}. Nothing was changed; restore the folder from a backup`,
    { details: { file, offset } },
  );
}

/** Brings the folder's contents into `replica` and `tokens`. CloudError 'CorruptState' names the file and the offset. */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { dir, files, replica, tokens } = options;
  const names = await files.list(dir);
  for (const name of names) if (name === SNAPSHOT.temporary) await files.remove(path.join(dir, name));
  const { image, hasCurrent } = await loadSnapshot(options, names);
  replica.load(image.entries, image.rev);
  for (const token of image.tokens) tokens.restore(token);
  const snapshotRev = replica.rev;
  const segments = segmentRevs(names);
  const first = segments.findLastIndex((rev) => rev <= snapshotRev + 1);
  if (segments.length > 0 && first < 0) {
    const file = path.join(dir, segmentName(segments[0] ?? 0));
    throw corrupt(file, 0, `revisions ${snapshotRev + 1} to ${(segments[0] ?? 0) - 1} are missing before it`);
  }
  let replayedOps = 0;
  let replayedBytes = 0;
  let tail: Tail | undefined;
  for (const firstRev of first < 0 ? [] : segments.slice(first)) {
    const data = (await files.read(path.join(dir, segmentName(firstRev)))) ?? Buffer.alloc(0);
    const end = replaySegment(options, firstRev, data, firstRev === segments.at(-1));
    replayedOps += end.ops;
    replayedBytes += end.end;
    tail = { firstRev, data, end };
  }
  const open = await openTail(options, segments, tail);
  return { ...open, snapshotRev, hasCurrent, replayedOps, replayedBytes };
}

async function loadSnapshot(
  { dir, files, logger }: RecoveryOptions,
  names: readonly string[],
): Promise<{ image: ReplicaImage; hasCurrent: boolean }> {
  const problems: CloudError[] = [];
  for (const file of [SNAPSHOT.current, SNAPSHOT.previous]) {
    if (!names.includes(file)) continue;
    const adapter = new SnapshotAdapter({ dir, files, file, defer: (run) => run() });
    const db = new Low<ReplicaImage>(adapter, EMPTY_IMAGE);
    try {
      await db.read();
      return { image: db.data, hasCurrent: file === SNAPSHOT.current };
    } catch (error) {
      if (!isCode(error, 'CorruptState') || error.details?.['unknownFormat'] === true) throw error;
      logger.warn('a snapshot is damaged; using the generation before it', { file, problem: error.message });
      problems.push(error);
    }
  }
  // With the journal from its very beginning no snapshot is needed.
  if (problems.length === 0 || names.includes(segmentName(1))) return { image: EMPTY_IMAGE, hasCurrent: false };
  throw problems[0] ?? new CloudError('CorruptState', `no snapshot in ${dir} can be read`);
}

/** Applies what is newer than the replica. In the last segment a bad end is a torn tail; anywhere else damage refuses the start. */
function replaySegment(options: RecoveryOptions, firstRev: number, data: Buffer, isLast: boolean): SegmentEnd {
  const file = path.join(options.dir, segmentName(firstRev));
  let offset = 0;
  let lastFrame: number | undefined;
  let ops = 0;
  while (offset < data.length) {
    const frame = readFrame(data, offset);
    if (frame === undefined) {
      if (!isLast) throw corrupt(file, offset, 'no sound record begins there, and later segments follow');
      const next = findFrame(data, offset + 1);
      if (next !== undefined) throw corrupt(file, offset, `no sound record begins there, but one does at byte ${next}`);
      options.logger.warn('the journal ends in a torn record, which was never acknowledged; cutting it off', {
        file,
        offset,
        bytes: data.length - offset,
      });
      break;
    }
    ops += replayBatch(options, JSON.parse(frame.payload.toString()) as Batch, file, offset);
    lastFrame = offset;
    offset = frame.end;
  }
  return { end: offset, lastFrame, ops };
}

function replayBatch({ replica, tokens }: RecoveryOptions, batch: Batch, file: string, offset: number): number {
  let ops = 0;
  if (batch.prev > replica.rev) throw corrupt(file, offset, `revision ${batch.prev + 1} follows ${replica.rev}`);
  for (const { rev, token, ops: writes } of batch.txns) {
    // A copy of etcd may leave revisions out, those of other programs there; a batch names the one that it follows.
    if (rev <= replica.rev) continue;
    const change = { rev, ops: writes.map(({ k, v }) => ({ key: k, value: deepFreeze(v) as Json | undefined })) };
    // Weighed evenly: the exact size of each transaction's text is not worth finding again.
    replica.apply(change, 512 * writes.length);
    if (token !== undefined) tokens.restore({ token, rev, atMs: batch.at });
    ops += writes.length;
  }
  return ops;
}

/**
 * Opens the last segment for append, without its torn end. Its last record is written again and synced: after a failed or missing
 * sync it may be nowhere but in the page cache, where we have just read it.
 */
async function openTail(
  { dir, files, replica }: RecoveryOptions,
  segments: readonly number[],
  tail: Tail | undefined,
): Promise<{ segments: readonly number[]; file: PortFile; sizeBytes: number }> {
  const endsHere = tail !== undefined && (tail.end.lastFrame !== undefined || tail.firstRev === replica.rev + 1);
  if (!endsHere) {
    const firstRev = replica.rev + 1;
    const file = await files.open(path.join(dir, segmentName(firstRev)), { truncate: true });
    await files.syncDir(dir);
    return { segments: [...segments.filter((rev) => rev !== firstRev), firstRev], file, sizeBytes: 0 };
  }
  const { data, end, firstRev } = tail;
  const file = await files.open(path.join(dir, segmentName(firstRev)), { truncate: false });
  if (end.end < data.length) await file.truncate(end.end);
  if (end.lastFrame !== undefined) await file.write(data.subarray(end.lastFrame, end.end), end.lastFrame);
  await file.datasync();
  await files.syncDir(dir);
  return { segments, file, sizeBytes: end.end };
}
