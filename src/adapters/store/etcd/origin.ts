import path from 'node:path';
import type { Json } from '../../../base/json.ts';
import type { RestoredStore } from '../../../ports/store.ts';
import type { FilePort } from '../file-port.ts';

const FILE = 'etcd-origin.json';

interface Saved {
  readonly clusterId?: string;
  readonly restored?: RestoredStore;
}

/** A key as it was once seen in etcd: in the same history it was so at that revision, for ever. */
export interface Witness {
  readonly etcdKey: string;
  readonly rev: number;
  readonly value: Json;
}

/** Which etcd the replica comes from, and whether it turned out to be another one; kept beside the copy on disk. */
export class Origin {
  readonly #place: { readonly dir: string; readonly files: FilePort } | undefined;
  #saved: Saved = {};
  #writing: Promise<void> = Promise.resolve();

  constructor(place: { dir: string; files: FilePort } | undefined) {
    this.#place = place;
  }

  get clusterId(): string | undefined {
    return this.#saved.clusterId;
  }

  get restored(): RestoredStore | undefined {
    return this.#saved.restored;
  }

  /** A file that can't be read counts as none: the next answer of etcd says which cluster it is. */
  async load(): Promise<void> {
    if (this.#place === undefined) return;
    const data = await this.#place.files.read(path.join(this.#place.dir, FILE));
    try {
      if (data !== undefined) this.#saved = JSON.parse(data.toString()) as Saved;
    } catch {
      this.#saved = {};
    }
  }

  /** Resolves when it is on disk. */
  async set(change: { clusterId?: string; restored?: RestoredStore | null }): Promise<void> {
    const clusterId = change.clusterId ?? this.#saved.clusterId;
    const restored = change.restored === undefined ? this.#saved.restored : (change.restored ?? undefined);
    this.#saved = {
      ...(clusterId === undefined ? {} : { clusterId }),
      ...(restored === undefined ? {} : { restored }),
    };
    const write = this.#writing.then(() => this.#write());
    this.#writing = write.catch(() => undefined);
    await write;
  }

  async #write(): Promise<void> {
    if (this.#place === undefined) return;
    const { dir, files } = this.#place;
    const temporary = path.join(dir, `${FILE}.tmp`);
    const file = await files.open(temporary, { truncate: true });
    try {
      await file.write(Buffer.from(`${JSON.stringify(this.#saved)}\n`), 0);
      await file.datasync();
    } finally {
      await file.close();
    }
    await files.rename(temporary, path.join(dir, FILE));
    await files.syncDir(dir);
  }
}
