import { link, open, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { CloudError, errnoOf, isCode } from '../../../base/errors.ts';
import { MIB } from '../../../base/units.ts';
import type { S3Client, S3Name } from '../../../client/s3/s3-client.ts';
import type { ObjectHead } from '../../../messages/object-head.ts';
import { fileProblem } from '../file-problem.ts';
import { printable } from '../printable.ts';
import type { Session } from '../session.ts';
import { fileNameOf } from './object-words.ts';
import { TransferBar } from './transfer-bar.ts';
import { bytesCheck, type BytesCheck } from './verify-bytes.ts';

export interface FetchParts {
  readonly session: Session;
  readonly s3: S3Client;
  readonly bucket: string;
  readonly name: S3Name;
}

export interface Fetched {
  readonly file: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly tookMs: number;
  /** Bytes that an earlier command had got. */
  readonly resumedBytes?: number;
}

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => undefined))?.isDirectory() === true;

/** Where an object goes: the file that is said, or one in that folder or in this one with the last word of the key as its name. */
export async function targetFile(key: string, said: string | undefined): Promise<string> {
  if (said !== undefined && !(await isFolder(said))) return said;
  const name = fileNameOf(key);
  if (name !== undefined) return join(said ?? '.', name);
  const why = key.endsWith('/')
    ? `the key ${printable(key)} ends in "/", so that it stands for a folder`
    : `the key ${printable(key)} has no last word that could be the name of a file`;
  throw new CloudError('MissingParameter', `FILE: ${why}; give the name of the file that it shall be, or - for stdout`);
}

const exists = (path: string): CloudError =>
  new CloudError('AlreadyExists', `FILE: ${path} is there already; --force overwrites it`);

/** An object as a file. Until all bytes are there and compared they are in a file beside it, which a later command goes on with. */
export async function fetchToFile(parts: FetchParts, path: string, force: boolean): Promise<Fetched> {
  const { s3, bucket, name, session } = parts;
  if (!force && (await stat(path).catch(() => undefined)) !== undefined) throw exists(path);
  const head = await s3.head(bucket, name);
  const check = await checkOf(parts, head);
  const partial = `${path}.${head.etag.replaceAll(/[^\w-]/g, '')}.part`;
  const bar = new TransferBar(session, name.key, head.sizeBytes);
  const file = await openPartial(partial, path);
  let startBytes: number;
  try {
    startBytes = await readThere(file, head.sizeBytes, check);
    bar.wereThere(startBytes);
    await writeRest(parts, head, { file, path, startBytes, check, bar }).catch((error: unknown) => {
      session.output.hint(`what came is kept in ${partial}; the same command goes on with it`);
      throw error;
    });
    await file.sync();
  } finally {
    bar.end();
    await file.close();
  }
  if (check !== undefined && !check.holds()) {
    await rm(partial, { force: true });
    throw mismatch(parts, check);
  }
  await giveName(partial, path, force);
  const { sizeBytes, etag } = head;
  return { file: path, sizeBytes, etag, tookMs: bar.tookMs, ...(startBytes === 0 ? {} : { resumedBytes: startBytes }) };
}

/** An object on stdout. What it prints is compared at the end alone. */
export async function fetchToStdout(parts: FetchParts, print: (bytes: Uint8Array) => void): Promise<void> {
  const { s3, bucket, name } = parts;
  const head = await s3.head(bucket, name);
  const check = await checkOf(parts, head);
  if (head.sizeBytes > 0) {
    const { body } = await s3.get(bucket, name, { startBytes: 0, etag: head.etag });
    for await (const chunk of whole(parts, body, { startBytes: 0, sizeBytes: head.sizeBytes })) {
      check?.update(chunk);
      print(chunk);
    }
  }
  if (check !== undefined && !check.holds()) throw mismatch(parts, check);
}

async function checkOf({ s3, bucket, name, session }: FetchParts, head: ObjectHead): Promise<BytesCheck | undefined> {
  const check = await bytesCheck(head, () => s3.firstPartBytes(bucket, name));
  if (check === undefined)
    session.output.warn(`${bucket}/${name.key} has no checksum of the whole: what comes can't be compared`);
  return check;
}

const mismatch = ({ bucket, name }: FetchParts, { by }: BytesCheck): CloudError =>
  new CloudError('BadDigest', `the bytes that came are not those of ${bucket}/${name.key}: their ${by} is another one`);

/** The pieces of an answer, to the last byte of the object; 'Unavailable' when it ends before, however the connection says so. */
async function* whole(
  { bucket, name, session }: FetchParts,
  body: Readable,
  { startBytes, sizeBytes }: { readonly startBytes: number; readonly sizeBytes: number },
): AsyncGenerator<Buffer> {
  let at = startBytes;
  const cutOff = (cause?: unknown): CloudError =>
    new CloudError('Unavailable', `${bucket}/${name.key} was cut off after ${at} of ${sizeBytes} bytes`, { cause });
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      yield chunk;
      at += chunk.length;
    }
  } catch (error) {
    session.io.signal.throwIfAborted();
    throw cutOff(error);
  }
  if (at !== sizeBytes) throw cutOff();
}

async function openPartial(partial: string, path: string): Promise<FileHandle> {
  try {
    return await open(partial, 'r+').catch((error: unknown) => {
      if (errnoOf(error) !== 'ENOENT') throw error;
      return open(partial, 'wx+', 0o666);
    });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw fileProblem(dirname(path), error);
    // What is beside it has a name that nobody has said.
    throw fileProblem(path, error);
  }
}

/** Counts what an earlier command left. Answers how much that is. */
async function readThere(file: FileHandle, sizeBytes: number, check: BytesCheck | undefined): Promise<number> {
  const { size } = await file.stat();
  if (size > sizeBytes) {
    await file.truncate(0);
    return 0;
  }
  const buffer = Buffer.allocUnsafe(MIB);
  for (let at = 0; at < size;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - at), at);
    if (bytesRead === 0) return at;
    check?.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return size;
}

interface Writing {
  readonly file: FileHandle;
  /** As it was said. */
  readonly path: string;
  readonly startBytes: number;
  readonly check: BytesCheck | undefined;
  readonly bar: TransferBar;
}

async function writeRest(
  parts: FetchParts,
  head: ObjectHead,
  { file, path, startBytes, check, bar }: Writing,
): Promise<void> {
  const { s3, bucket, name } = parts;
  if (startBytes === head.sizeBytes) return;
  const { body } = await s3.get(bucket, name, { startBytes, etag: head.etag }).catch((error: unknown) => {
    if (!isCode(error, 'PreconditionFailed')) throw error;
    throw new CloudError('Conflict', `${bucket}/${name.key} was changed while it was read; get it again`);
  });
  let at = startBytes;
  for await (const chunk of whole(parts, body, { startBytes, sizeBytes: head.sizeBytes })) {
    check?.update(chunk);
    await writeAll({ file, path }, chunk, at);
    at += chunk.length;
    bar.moved(chunk.length);
  }
}

async function writeAll(
  { file, path }: Pick<Writing, 'file' | 'path'>,
  chunk: Buffer,
  position: number,
): Promise<void> {
  for (let at = 0; at < chunk.length;) {
    const { bytesWritten } = await file.write(chunk, at, chunk.length - at, position + at).catch((error: unknown) => {
      throw fileProblem(path, error);
    });
    at += bytesWritten;
  }
}

/** Without --force a file that came there meanwhile stays: a link is made only where nothing is. */
async function giveName(partial: string, path: string, force: boolean): Promise<void> {
  if (force) return rename(partial, path);
  try {
    await link(partial, path);
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw exists(path);
    // Some file systems have no links.
    return rename(partial, path);
  }
  await rm(partial);
}
