import { stat } from 'node:fs/promises';
import { combinedChecksum } from '../../../base/checksums.ts';
import { CloudError, isCode } from '../../../base/errors.ts';
import type { PartSent, S3Client } from '../../../client/s3/s3-client.ts';
import type { S3Part } from '../../../client/s3/s3-documents.ts';
import { fileProblem } from '../file-problem.ts';
import type { Session } from '../session.ts';
import { inParallel } from './in-parallel.ts';
import { isPartSize, PART_BYTES, partBytesFor, partBytesOf, planParts, type PlannedPart } from './part-plan.ts';
import { digestRange, rangeStream, type FileRange } from './read-range.ts';
import type { TransferBar } from './transfer-bar.ts';
import { UploadNotes } from './upload-notes.ts';

export interface SendParts {
  readonly session: Session;
  readonly s3: S3Client;
  readonly bar: TransferBar;
  /** Parts on their way at a time. */
  readonly parallel: number;
  /** Go on with an upload of the same file that was cut off. */
  readonly resume: boolean;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ToSend {
  readonly path: string;
  readonly sizeBytes: number;
  readonly bucket: string;
  readonly key: string;
}

export interface Sent {
  readonly bucket: string;
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  /** Bytes that an earlier command had sent. */
  readonly resumedBytes?: number;
}

interface Upload {
  readonly uploadId: string;
  readonly partBytes: number;
  readonly there: readonly S3Part[];
  /** Whether the parts have CRCs. */
  readonly hasCrc: boolean;
}

/** The size of a file to send. */
export async function fileSize(path: string): Promise<number> {
  try {
    const found = await stat(path);
    if (!found.isFile()) throw new Error(`${path} is not a file`);
    return found.size;
  } catch (error) {
    throw fileProblem(path, error);
  }
}

const changed = (path: string): CloudError =>
  new CloudError('Conflict', `${path} was changed while it was sent: the object is as it was before; send it again`);

/** Bytes that are others at the far end than here: the file was written to between counting and sending. */
const explained = (error: unknown, path: string): unknown => (isCode(error, 'BadDigest') ? changed(path) : error);

/** A file as an object: in one piece, or in parts from 16 MiB on. It is visible when all of it is there and was compared. */
export function sendFile(parts: SendParts, file: ToSend): Promise<Sent> {
  return file.sizeBytes <= PART_BYTES ? sendWhole(parts, file) : sendInParts(parts, file);
}

/** In one piece. 'Conflict' when the file was written to meanwhile: other bytes came than were counted. */
export async function sendWhole(
  { s3, bar, headers }: Pick<SendParts, 's3' | 'headers'> & { readonly bar: Pick<TransferBar, 'moved'> },
  file: ToSend,
): Promise<Sent> {
  const { path, sizeBytes, bucket, key } = file;
  const range = { path, startBytes: 0, sizeBytes };
  const digests = await digestRange(range);
  const body = rangeStream(range, (bytes) => bar.moved(bytes));
  const etag = await s3.put(bucket, key, body, digests, headers).catch((error: unknown) => {
    throw explained(error, path);
  });
  if (etag !== digests.md5)
    throw new CloudError('BadDigest', `the MD5 of ${bucket}/${key} is ${etag}, and of ${path} ${digests.md5}`);
  return { bucket, key, sizeBytes, etag };
}

async function sendInParts(parts: SendParts, file: ToSend): Promise<Sent> {
  const { s3, session, bar } = parts;
  const { path, sizeBytes, bucket, key } = file;
  const notes = await UploadNotes.of(session, path, bucket, key);
  const noted = await notes.read();
  const found = parts.resume ? await resumable(s3, file, noted) : undefined;
  if (parts.resume && found === undefined) session.output.message(`no upload of ${path} to go on with: it begins anew`);
  if (!parts.resume && noted !== undefined)
    session.output.hint(`an upload of ${path} was cut off; --resume would go on with it, this one begins anew`);
  const upload = found ?? (await begin(parts, file));
  await notes.write({ uploadId: upload.uploadId, sizeBytes, partBytes: upload.partBytes });
  const sent = await sendParts(parts, file, upload).catch((error: unknown) => {
    session.output.hint(`what was sent is kept; go on by: novactl object put ${path} ${bucket}/${key} --resume`);
    throw error;
  });
  const done = await s3.completeUpload(bucket, key, upload.uploadId, sent.parts);
  await notes.forget();
  // The one that was given up takes room for nothing.
  if (noted !== undefined && noted.uploadId !== upload.uploadId) await abandon(s3, file, noted.uploadId);
  if (done.crc32 !== undefined && sent.crc32 !== undefined && done.crc32 !== sent.crc32) {
    throw new CloudError('BadDigest', `the CRC-32 of ${bucket}/${key} is ${done.crc32}, and of ${path} ${sent.crc32}`);
  }
  bar.end();
  return { bucket, key, sizeBytes, etag: done.etag, ...(found === undefined ? {} : { resumedBytes: sent.thereBytes }) };
}

async function begin({ s3, headers }: SendParts, { bucket, key, sizeBytes }: ToSend): Promise<Upload> {
  const uploadId = await s3.createUpload(bucket, key, headers);
  return { uploadId, partBytes: partBytesFor(sizeBytes), there: [], hasCrc: true };
}

async function abandon(s3: S3Client, { bucket, key }: ToSend, uploadId: string): Promise<void> {
  await s3.abortUpload(bucket, key, uploadId).catch((error: unknown) => {
    if (!isCode(error, 'NoSuchUpload')) throw error;
  });
}

/** The upload to go on with: the noted one, else the youngest of that key whose parts can be those of this file. What the parts hold is compared later. */
async function resumable(
  s3: S3Client,
  { bucket, key, sizeBytes }: ToSend,
  noted: { readonly uploadId: string; readonly sizeBytes: number; readonly partBytes: number } | undefined,
): Promise<Upload | undefined> {
  const known = (await s3.uploads(bucket, key)).filter((one) => one.key === key);
  const young = known.toSorted((a, b) => b.startedAtMs - a.startedAtMs);
  const mine = young.filter(({ uploadId }) => uploadId === noted?.uploadId);
  for (const { uploadId, checksumAlgorithm } of [...mine, ...young]) {
    if (checksumAlgorithm !== undefined && checksumAlgorithm !== 'CRC32') continue;
    const there = await s3.parts(bucket, key, uploadId).catch((error: unknown) => {
      if (isCode(error, 'NoSuchUpload')) return undefined;
      throw error;
    });
    if (there === undefined) continue;
    const isNoted = noted?.uploadId === uploadId && isPartSize(noted.partBytes, sizeBytes);
    const partBytes = isNoted ? noted.partBytes : partBytesOf(there, sizeBytes);
    if (partBytes !== undefined) return { uploadId, partBytes, there, hasCrc: checksumAlgorithm === 'CRC32' };
  }
  return undefined;
}

interface SentParts {
  readonly parts: readonly PartSent[];
  /** Of the whole file, base64; undefined where the upload counts none. */
  readonly crc32?: string;
  readonly thereBytes: number;
}

async function sendParts(parts: SendParts, file: ToSend, upload: Upload): Promise<SentParts> {
  const { s3, bar, session } = parts;
  const { path, bucket, key, sizeBytes } = file;
  const there = new Map(upload.there.map((part) => [part.number, part]));
  const planned = planParts(sizeBytes, upload.partBytes);
  const sent: (PartSent & { readonly crc32: string; readonly sizeBytes: number })[] = [];
  let thereBytes = 0;
  const sendOne = async (part: PlannedPart, signal: AbortSignal): Promise<void> => {
    const range: FileRange = { path, startBytes: part.startBytes, sizeBytes: part.sizeBytes };
    const digests = await digestRange(range);
    const { number } = part;
    const old = there.get(number);
    if (old?.sizeBytes === part.sizeBytes && old.etag === digests.md5) {
      thereBytes += part.sizeBytes;
      bar.wereThere(part.sizeBytes);
    } else {
      const body = rangeStream(range, (bytes) => bar.moved(bytes));
      const at = { bucket, key, uploadId: upload.uploadId, number };
      const etag = await s3.putPart(at, body, digests, signal).catch((error: unknown) => {
        throw explained(error, path);
      });
      if (etag !== digests.md5) throw changed(path);
    }
    sent[number - 1] = { number, etag: digests.md5, crc32: digests.crc32, sizeBytes: part.sizeBytes };
  };
  await inParallel(planned, parts.parallel, sendOne, session.io.signal);
  const pieces = sent.map(({ crc32, sizeBytes: size }) => ({ value: crc32, sizeBytes: size }));
  return {
    parts: sent.map(({ number, etag, crc32 }) => ({ number, etag, ...(upload.hasCrc ? { crc32 } : {}) })),
    ...(upload.hasCrc ? { crc32: combinedChecksum('CRC32', pieces) } : {}),
    thereBytes,
  };
}
