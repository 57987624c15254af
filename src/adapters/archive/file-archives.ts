import { chmod, lstat, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncFolder, writeDurably } from '../../base/durable-file.ts';
import { CloudError, isCode } from '../../base/errors.ts';
import { canonicalJson } from '../../base/json.ts';
import { randomHex, type Random } from '../../base/random.ts';
import type { Blobs } from '../../ports/blobs.ts';
import type { ArchiveFacts, ArchiveOrder, StateArchives } from '../../ports/state-archive.ts';
import type { Entry } from '../../ports/store.ts';
import { readArchive } from './read-archive.ts';
import { archiveBytes, type ArchivedFile } from './write-archive.ts';

/** What the cloud made for itself in its state folder and can't be made again: the key that seals secrets, its CA, its SSH key. */
export const SECRET_PLACES = ['seal.key', 'tls', 'ssh'] as const;
/** `state-20260102T030405Z-rev12.novactl` */
const NAME = /^state-\d{8}T\d{6}Z-rev\d+\.novactl$/;
const TMP = /\.[0-9a-f]{8}\.tmp$/;
/** Of a file in a secret place. */
const SECRET_NAME = /^[\w-][\w.-]*$/;
const FILE_MODE = 0o600;

function timePart(atMs: number): string {
  return `state-${new Date(atMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '')}`;
}

export function archiveName(createdAtMs: number, rev: number): string {
  return `${timePart(createdAtMs)}-rev${rev}.novactl`;
}

/** The newest first. Those of a time to come, since the clock was set back, are last: else they would make each new one the oldest. */
function newestFirst(names: readonly string[], nowMs: number): string[] {
  const now = timePart(nowMs);
  const isAhead = (name: string): boolean => name.slice(0, now.length) > now;
  const sorted = [...names].sort().reverse();
  return [...sorted.filter((name) => !isAhead(name)), ...sorted.filter(isAhead)];
}

interface Parts {
  /** Of the cloud: where the secrets are. */
  readonly stateDir: string;
  /** Of backups; made (0700) when it is not there. */
  readonly dir: string;
  readonly blobs: Pick<Blobs, 'read'>;
  readonly random: Random;
}

export function createFileArchives(parts: Parts): StateArchives {
  const { dir } = parts;
  return {
    dir,
    write: (order, signal) => explained(dir, () => writeArchive(parts, order, signal)),
    list: async (keep, nowMs) => {
      const names = await readdir(dir).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
        throw error;
      });
      const found = newestFirst(
        names.filter((name) => NAME.test(name)),
        nowMs,
      );
      return { kept: found.slice(0, keep), surplus: found.slice(keep) };
    },
    remove: async (name) => {
      if (!NAME.test(name)) throw new CloudError('InvalidParameterValue', `${name} is not the name of a backup`);
      await rm(join(dir, name), { force: true });
      await syncFolder(dir);
    },
  };
}

async function writeArchive(parts: Parts, order: ArchiveOrder, signal: AbortSignal): Promise<ArchiveFacts> {
  const path = order.to ?? join(parts.dir, archiveName(order.header.createdAtMs, order.header.rev));
  const folder = dirname(path);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await refuseExisting(path);
  await removeStale(folder, basename(path), order.to === undefined);
  const files = order.header.secrets ? await secretFiles(parts.stateDir) : [];
  const images = order.images.map((info) => ({ info, open: () => parts.blobs.read(info.key) }));
  const body = { header: { v: 1, ...order.header } as const, records: order.records, files, images };
  const tmpPath = `${path}.${randomHex(parts.random, 8)}.tmp`;
  let facts: ArchiveFacts | undefined;
  await writeDurably(path, interruptible(archiveBytes(body), signal), {
    mode: FILE_MODE,
    tmpPath,
    accept: async () => {
      facts = await prove(tmpPath, order.records, files);
    },
  });
  if (facts === undefined) throw new CloudError('InternalError', `${path} was written without being read back`);
  return { ...facts, path };
}

/** Read back from the file: each record is the one that was to be kept, in order. */
async function prove(path: string, records: readonly Entry[], files: readonly ArchivedFile[]): Promise<ArchiveFacts> {
  let at = 0;
  let fileAt = 0;
  const differs = (what: string): CloudError =>
    new CloudError('CorruptState', `${path}: what was read back is not what was written (${what}); try another disk`);
  return readArchive(path, {
    record: (entry) => {
      const wanted = records[at];
      at += 1;
      const same =
        wanted?.key === entry.key &&
        wanted.rev === entry.rev &&
        canonicalJson(wanted.value) === canonicalJson(entry.value);
      if (!same) throw differs(entry.key);
    },
    file: (file) => {
      const wanted = files[fileAt];
      fileAt += 1;
      if (wanted?.path !== file.path || wanted.mode !== file.mode || !wanted.bytes.equals(file.bytes)) {
        throw differs(file.path);
      }
    },
  });
}

async function* interruptible(chunks: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    yield chunk;
  }
}

async function refuseExisting(path: string): Promise<void> {
  const there = await lstat(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  });
  if (there !== undefined) {
    throw new CloudError('AlreadyExists', `${path} is there already and is not written over; choose another name`);
  }
}

/** What backups that were cut off left: one backup runs at a time, so nobody writes them. */
async function removeStale(folder: string, name: string, isOurs: boolean): Promise<void> {
  for (const found of await readdir(folder)) {
    const ours = isOurs ? found.startsWith('state-') : found.startsWith(`${name}.`);
    if (ours && TMP.test(found)) await rm(join(folder, found), { force: true });
  }
}

/** The files in the secret places, by their paths below the state folder. Links, what is not a file and names that the cloud never gives are left out. */
async function secretFiles(stateDir: string): Promise<ArchivedFile[]> {
  const found: ArchivedFile[] = [];
  for (const place of SECRET_PLACES) {
    const info = await lstat(join(stateDir, place)).catch(() => undefined);
    const names = info?.isDirectory() === true ? (await readdir(join(stateDir, place))).sort() : [''];
    if (info === undefined) continue;
    for (const name of names) {
      const path = join(place, name);
      const file = await stat(join(stateDir, path));
      if (!file.isFile() || (name !== '' && !SECRET_NAME.test(name))) continue;
      found.push({ path, mode: file.mode & 0o777, bytes: await readFile(join(stateDir, path)) });
    }
  }
  return found;
}

/** The system's words for a full disk, in ours. */
async function explained<T>(dir: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isCode(error, 'Unavailable')) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOSPC' || code === 'EDQUOT') {
      throw new CloudError(
        'Unavailable',
        `no space is left for the backup in ${dir}: make room there or set backup.dir to another disk; nothing was left behind`,
        { cause: error },
      );
    }
    if (code === 'EACCES' || code === 'EROFS' || code === 'ENOTDIR') {
      throw new CloudError('Unavailable', `the backup can not be written: ${message}; set backup.dir or use --to`, {
        cause: error,
      });
    }
    throw error;
  }
}

/** Puts a file of an archive where it was. Its path is one of ours, whatever the archive says. */
export async function restoreSecret(stateDir: string, file: ArchivedFile, random: Random): Promise<void> {
  const [place = '', name, ...more] = file.path.split('/');
  const isKnown = (SECRET_PLACES as readonly string[]).includes(place) && more.length === 0;
  if (!isKnown || (name !== undefined && !SECRET_NAME.test(name))) {
    throw new CloudError('CorruptState', `the archive holds a file ${file.path}, which is none of the state's`);
  }
  const path = join(stateDir, file.path);
  if (name !== undefined) {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await chmod(dirname(path), 0o700);
  }
  const tmpPath = `${path}.${randomHex(random, 8)}.tmp`;
  await writeDurably(path, [file.bytes], { mode: file.mode & 0o777, tmpPath });
}
