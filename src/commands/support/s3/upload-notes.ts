import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { sha256Hex } from '../../../base/ids.ts';
import { userDirs } from '../../../base/user-dirs.ts';
import type { Session } from '../session.ts';

/** What is remembered of an upload under way. */
export interface UploadNote {
  readonly uploadId: string;
  readonly sizeBytes: number;
  readonly partBytes: number;
}

const isNote = (value: unknown): value is UploadNote => {
  const { uploadId, sizeBytes, partBytes } = (value ?? {}) as Record<string, unknown>;
  const isSize = (size: unknown): boolean => Number.isSafeInteger(size) && Number(size) > 0;
  return (
    typeof uploadId === 'string' && /^[\x21-\x7e]{1,1024}$/.test(uploadId) && isSize(sizeBytes) && isSize(partBytes)
  );
};

/** Where an upload is noted, so that a later command can go on with it: one small file of the user's own for each file, cloud and key. */
export class UploadNotes {
  readonly #path: string;
  readonly #dir: string;

  private constructor(dir: string, path: string) {
    this.#dir = dir;
    this.#path = path;
  }

  static async of(session: Session, file: string, bucket: string, key: string): Promise<UploadNotes> {
    const cloud = (await session.elsewhere())?.url ?? (await session.dirs()).stateDir;
    const dir = join(userDirs(session.io.env).cacheDir, 'uploads');
    const name = sha256Hex(JSON.stringify([cloud, session.project ?? '', bucket, key, resolve(file)]));
    return new UploadNotes(dir, join(dir, `${name.slice(0, 32)}.json`));
  }

  /** Undefined: there is none, or none that can be read. */
  async read(): Promise<UploadNote | undefined> {
    try {
      const value = JSON.parse(await readFile(this.#path, 'utf8')) as unknown;
      return isNote(value) ? value : undefined;
    } catch {
      // A note helps; without it the upload begins anew.
      return undefined;
    }
  }

  async write(note: UploadNote): Promise<void> {
    await mkdir(this.#dir, { recursive: true, mode: 0o700 });
    const fresh = `${this.#path}.new`;
    await writeFile(fresh, JSON.stringify(note), { mode: 0o600 });
    await rename(fresh, this.#path);
  }

  async forget(): Promise<void> {
    await rm(this.#path, { force: true });
  }
}
