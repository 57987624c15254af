import { mkdir, open, readdir, rename, unlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../../base/durable-file.ts';

/** A file that is being written, from its beginning on. */
export interface NewFile {
  write(chunks: readonly Uint8Array[]): Promise<void>;
  /** All that was written is on stable storage. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** What the store asks of a file system. Injected, so that tests can have the disk full. Errors are Node's. */
export interface ObjectFiles {
  /** 0600; must not be there. */
  create(path: string): Promise<NewFile>;
}

class SystemNewFile implements NewFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async write(chunks: readonly Uint8Array[]): Promise<void> {
    let rest = chunks.filter((chunk) => chunk.length > 0);
    while (rest.length > 0) {
      let { bytesWritten } = await this.#handle.writev(rest);
      rest = rest.flatMap((chunk) => {
        const taken = Math.min(bytesWritten, chunk.length);
        bytesWritten -= taken;
        return taken === chunk.length ? [] : [chunk.subarray(taken)];
      });
    }
  }

  sync(): Promise<void> {
    return this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

export const systemObjectFiles: ObjectFiles = {
  create: async (path) => new SystemNewFile(await open(path, 'wx', 0o600)),
};

const FOLDER_MODE = 0o700;

async function unlinkIfThere(path: string): Promise<boolean> {
  try {
    await unlink(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** The folders of a store: `tmp/<id>` is being written, `data/xx/<id>` is whole and synced. */
export class SegmentFiles {
  readonly #data: string;
  readonly #tmp: string;
  readonly #files: ObjectFiles;
  /** A sync of a folder that has not begun yet is shared by all that wait for it. */
  readonly #nextSyncs = new Map<string, Promise<void>>();
  readonly #lastSyncs = new Map<string, Promise<void>>();

  constructor(dir: string, files: ObjectFiles) {
    this.#data = join(dir, 'data');
    this.#tmp = join(dir, 'tmp');
    this.#files = files;
  }

  async open(): Promise<void> {
    await mkdir(this.#tmp, { recursive: true, mode: FOLDER_MODE });
    await mkdir(this.#data, { recursive: true, mode: FOLDER_MODE });
    await syncFolder(join(this.#data, '..'));
  }

  path(id: string): string {
    return join(this.#data, folderOf(id), id);
  }

  create(id: string): Promise<NewFile> {
    return this.#files.create(join(this.#tmp, id));
  }

  /** A synced temporary file gets its name, and that survives a power cut. */
  async publish(id: string): Promise<void> {
    const folder = join(this.#data, folderOf(id));
    try {
      await rename(join(this.#tmp, id), this.path(id));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // The first of its folder.
      await mkdir(folder, { recursive: true, mode: FOLDER_MODE });
      await this.#syncShared(this.#data);
      await rename(join(this.#tmp, id), this.path(id));
    }
    await this.#syncShared(folder);
  }

  #syncShared(folder: string): Promise<void> {
    const next = this.#nextSyncs.get(folder);
    if (next !== undefined) return next;
    const before = this.#lastSyncs.get(folder) ?? Promise.resolve();
    const sync = before
      .catch(() => undefined)
      .then(() => {
        this.#nextSyncs.delete(folder);
        return syncFolder(folder);
      })
      .finally(() => {
        if (this.#lastSyncs.get(folder) === sync) this.#lastSyncs.delete(folder);
      });
    this.#nextSyncs.set(folder, sync);
    this.#lastSyncs.set(folder, sync);
    return sync;
  }

  /** Wherever it is. Absent is success. */
  async remove(id: string): Promise<void> {
    await unlinkIfThere(this.path(id));
    await unlinkIfThere(join(this.#tmp, id));
  }

  /** Names of what is being written, or was when a process died. */
  temporary(): Promise<string[]> {
    return readdir(this.#tmp);
  }

  removeTemporary(id: string): Promise<boolean> {
    return unlinkIfThere(join(this.#tmp, id));
  }

  removePublished(id: string): Promise<boolean> {
    return unlinkIfThere(this.path(id));
  }

  /** Ids of the files in data/, folder by folder. */
  async *published(): AsyncGenerator<{ readonly prefix: string; readonly ids: readonly string[] }> {
    const folders = await readdir(this.#data);
    for (const folder of folders.filter((name) => FOLDER.test(name))) {
      const ids = await readdir(join(this.#data, folder));
      yield { prefix: `${FILE_KIND}${folder}`, ids: ids.filter((id) => SEGMENT_ID.test(id)) };
    }
  }
}

/** The first letter of an id says where the bytes are: in a file, or in the index. */
export const FILE_KIND = 'f';
export const INLINE_KIND = 'i';
const FOLDER = /^[0-9a-f]{2}$/;
const SEGMENT_ID = /^f[0-9a-f]{32}$/;

function folderOf(id: string): string {
  return id.slice(1, 3);
}
