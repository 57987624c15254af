import { createHash } from 'node:crypto';
import { mkdir, open, readFile, readdir, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { syncFolder, writeDurably } from '../../base/durable-file.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import { sha256Hex } from '../../base/ids.ts';
import { randomHex, type Random } from '../../base/random.ts';
import type { BlobInfo, Blobs } from '../../ports/blobs.ts';
import { checkKey, expectDigest, rangeWithin, tooLarge } from './blob-key.ts';

const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
/** In a shared folder what no name points to may be on its way to one; no upload takes so long. */
const ABANDONED_MS = 86_400_000;

/** What `names/<SHA-256 of the key>.json` holds. `file` is the name under data/ of the bytes. */
interface Entry extends BlobInfo {
  readonly v: 1;
  readonly file: string;
}

function parseEntry(path: string, text: string): Entry {
  try {
    const entry = JSON.parse(text) as Partial<Entry>;
    const { key, sha256, sizeBytes, file } = entry;
    const whole = typeof key === 'string' && typeof sha256 === 'string' && typeof file === 'string';
    if (whole && entry.v === 1 && typeof sizeBytes === 'number' && /^[0-9a-f]+$/.test(file)) {
      return { v: 1, key, sha256, sizeBytes, file };
    }
  } catch {
    // Told below, in the same words as a text that parses and is no entry.
  }
  throw new CloudError(
    'CorruptState',
    `${path} is damaged: restore it from a backup, or move it away to lose that blob alone`,
    {
      details: { path },
    },
  );
}

function diskError(error: unknown, folder: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new CloudError('Unavailable', `no space is left for ${folder}: delete images or give it more room`, {
    cause: error,
  });
}

async function unlessAbsent<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

const infoOf = ({ key, sizeBytes, sha256 }: Entry): BlobInfo => ({ key, sizeBytes, sha256 });

/**
 * The folder, and for one process alone its index in memory. Bytes lie in data/ under random names and never change; a name is one small file that says
 * which. So a put becomes visible by one rename, and a reader keeps what it opened.
 */
class BlobFolder {
  readonly #names: string;
  readonly #data: string;
  readonly #random: Random;
  readonly #readOnly: boolean;
  readonly #shared: boolean;
  readonly #index = new Map<string, Entry>();
  #opened: Promise<void> | undefined;
  #commits: Promise<unknown> = Promise.resolve();

  constructor({ dir, random, readOnly = false, shared = false }: FileBlobsParts) {
    this.#names = join(dir, 'names');
    this.#data = join(dir, 'data');
    this.#random = random;
    this.#readOnly = readOnly;
    this.#shared = shared;
  }

  /** Once; what an earlier process left half done is removed. Read-only: each time, since another process may write, and what it has half done is its. */
  async open(): Promise<void> {
    if (this.#readOnly) return this.#look();
    this.#opened ??= this.#load().catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    });
    await this.#opened;
  }

  async #load(): Promise<void> {
    for (const folder of [this.#names, this.#data]) await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
    await syncFolder(dirname(this.#names));
    if (this.#shared) return this.#sweepAbandoned();
    this.#index.clear();
    for (const name of await readdir(this.#names)) {
      const path = join(this.#names, name);
      if (name.endsWith('.json')) {
        const entry = parseEntry(path, await readFile(path, 'utf8'));
        this.#index.set(entry.key, entry);
      } else if (name.endsWith('.tmp')) {
        await unlink(path);
      }
    }
    const used = new Set([...this.#index.values()].map((entry) => entry.file));
    // Bytes that no name points to: a put that was cut off, or a replaced blob whose removal was.
    for (const name of await readdir(this.#data)) {
      if (/^[0-9a-f]{32}(\.tmp)?$/.test(name) && !used.has(name)) await unlink(join(this.#data, name));
    }
  }

  /** Others may write: only what is old by the clock of the file system itself is removed. */
  async #sweepAbandoned(): Promise<void> {
    await this.#look();
    const used = new Set([...this.#index.values()].map((entry) => entry.file));
    const probe = join(this.#names, `${randomHex(this.#random, 16)}.tmp`);
    await writeFile(probe, '', { mode: FILE_MODE });
    const { mtimeMs: nowMs } = await stat(probe);
    await unlink(probe);
    const unnamed = (await readdir(this.#data)).filter(
      (name) => /^[0-9a-f]{32}(\.tmp)?$/.test(name) && !used.has(name),
    );
    const halves = (await readdir(this.#names)).filter((name) => name.endsWith('.tmp'));
    const paths = [...unnamed.map((name) => join(this.#data, name)), ...halves.map((name) => join(this.#names, name))];
    for (const path of paths) {
      const file = await unlessAbsent(stat(path));
      if (file !== undefined && nowMs - file.mtimeMs > ABANDONED_MS) await unlessAbsent(unlink(path));
    }
  }

  async #look(): Promise<void> {
    const names = await unlessAbsent(readdir(this.#names));
    const texts = (names ?? [])
      .filter((name) => name.endsWith('.json'))
      .map(async (name) => {
        const path = join(this.#names, name);
        const text = await unlessAbsent(readFile(path, 'utf8'));
        return text === undefined ? undefined : parseEntry(path, text);
      });
    const entries = await Promise.all(texts);
    this.#index.clear();
    for (const entry of entries) if (entry !== undefined) this.#index.set(entry.key, entry);
  }

  async #entry(key: string): Promise<Entry | undefined> {
    if (!this.#shared) return this.#index.get(key);
    const path = this.#namePath(key);
    const text = await unlessAbsent(readFile(path, 'utf8'));
    return text === undefined ? undefined : parseEntry(path, text);
  }

  async get(key: string): Promise<Entry> {
    const entry = await this.#entry(key);
    if (entry === undefined) throw new CloudError('NotFound', `no blob ${key}`, { details: { key } });
    return entry;
  }

  async list(prefix: string): Promise<BlobInfo[]> {
    if (this.#shared) await this.#look();
    const found = [...this.#index.values()].filter((entry) => entry.key.startsWith(prefix));
    found.sort((a, b) => (a.key < b.key ? -1 : 1));
    const infos: BlobInfo[] = [];
    for (const entry of found) {
      const file = await stat(this.dataPath(entry)).catch(() => undefined);
      infos.push({ ...infoOf(entry), ...(file === undefined ? {} : { storedAtMs: file.mtimeMs }) });
    }
    return infos;
  }

  dataPath(entry: Entry): string {
    return join(this.#data, entry.file);
  }

  /** Whole and on disk when it resolves, but under no name yet. */
  async store(key: string, body: Readable, options: { expectSha256?: string; maxBytes?: number }): Promise<Entry> {
    const hash = createHash('sha256');
    const { expectSha256, maxBytes = Infinity } = options;
    let sizeBytes = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const chunk of body) {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
        sizeBytes += bytes.length;
        if (sizeBytes > maxBytes) throw tooLarge(key, maxBytes);
        hash.update(bytes);
        yield bytes;
      }
    }
    let sha256 = '';
    const accept = (): void => {
      sha256 = hash.digest('hex');
      expectDigest(key, sha256, expectSha256);
    };
    const file = randomHex(this.#random, 32);
    const path = join(this.#data, file);
    await writeDurably(path, counted(), { mode: FILE_MODE, tmpPath: `${path}.tmp`, accept });
    return { v: 1, key, sizeBytes, sha256, file };
  }

  /** One at a time, so that the index and the folder change in the same order. */
  #commit<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#commits.then(work);
    this.#commits = done.catch(() => undefined);
    return done;
  }

  #namePath(key: string): string {
    return join(this.#names, `${sha256Hex(key)}.json`);
  }

  async #drop(entry: Entry | undefined): Promise<void> {
    // Should this fail, the next open removes it: nothing points to it any more.
    if (entry !== undefined) await unlink(this.dataPath(entry)).catch(() => undefined);
  }

  name(entry: Entry): Promise<void> {
    return this.#commit(async () => {
      const path = this.#namePath(entry.key);
      const replaced = await this.#entry(entry.key);
      try {
        const tmpPath = `${path}${this.#shared ? `.${entry.file}` : ''}.tmp`;
        await writeDurably(path, [Buffer.from(JSON.stringify(entry))], { mode: FILE_MODE, tmpPath });
      } catch (error) {
        await this.#drop(entry);
        throw error;
      }
      this.#index.set(entry.key, entry);
      await this.#drop(replaced);
    });
  }

  unname(key: string): Promise<void> {
    return this.#commit(async () => {
      const entry = await this.#entry(key);
      if (entry === undefined) return;
      await unlessAbsent(unlink(this.#namePath(key)));
      this.#index.delete(key);
      await syncFolder(this.#names);
      await this.#drop(entry);
    });
  }
}

async function readRange(folder: BlobFolder, key: string, range: { start?: number; end?: number }): Promise<Readable> {
  const entry = await folder.get(key);
  const { start, end } = rangeWithin(range, entry.sizeBytes);
  const path = folder.dataPath(entry);
  const damaged = (why: string): CloudError => {
    return new CloudError('CorruptState', `the bytes of ${key} are damaged: ${path} ${why}`, {
      details: { key, path },
    });
  };
  const file = await open(path, 'r').catch((error: unknown) => {
    throw damaged(errorText(error));
  });
  const { size } = await file.stat();
  if (size !== entry.sizeBytes || start >= end) {
    await file.close();
    if (size !== entry.sizeBytes) throw damaged(`has ${size} bytes and should have ${entry.sizeBytes}`);
    return Readable.from([]);
  }
  return file.createReadStream({ start, end: end - 1 });
}

export interface FileBlobsParts {
  readonly dir: string;
  readonly random: Random;
  /** For who has not the state lock: nothing is made, changed or cleaned up. */
  readonly readOnly?: boolean;
  /** Other processes, also of other machines, write in it too: nothing of it is kept in memory. Default: the state lock makes this one the only one. */
  readonly shared?: boolean;
}

/**
 * Blobs as files under `dir` (0700). It is opened at the first
 * call. Errors besides the port's: 'RequestTooLarge' (maxBytes), 'Unavailable' (disk full), 'CorruptState' (names the file).
 */
export function createFileBlobs(parts: FileBlobsParts): Blobs {
  const folder = new BlobFolder(parts);
  const mayWrite = (): void => {
    if (parts.readOnly === true) throw new CloudError('InternalError', 'these blobs may only be read');
  };
  const opened = async (key: string): Promise<BlobFolder> => {
    checkKey(key);
    await folder.open();
    return folder;
  };
  return {
    put: async (key, body, options = {}) => {
      // A source may fail before anybody reads it; the reading then says so, this only keeps it from ending the process.
      body.on('error', () => undefined);
      try {
        mayWrite();
        await opened(key);
        const entry = await folder.store(key, body, options);
        await folder.name(entry);
        return infoOf(entry);
      } catch (error) {
        throw diskError(error, parts.dir);
      } finally {
        body.destroy();
      }
    },
    head: async (key) => infoOf(await (await opened(key)).get(key)),
    read: async (key, range = {}) => readRange(await opened(key), key, range),
    delete: async (key) => {
      mayWrite();
      await (await opened(key)).unname(key);
    },
    list: async (prefix) => {
      await folder.open();
      return folder.list(prefix);
    },
  };
}
