import { existsSync } from 'node:fs';
import { openObjectStore } from '../adapters/objects/object-store.ts';
import { acquireStateLock, type LockHolder } from '../adapters/store/state-lock.ts';
import { isoTime, type Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { ObjectKeeper } from '../controller/objects/object-keeper.ts';
import type { Random } from '../base/random.ts';
import type { ObjectStore } from '../ports/object-store.ts';
import { objectsDir } from './config/places.ts';
import type { Config } from './config/schema.ts';
import { loginName } from './login-name.ts';
import { openKeeper } from './open-keeper.ts';
import { type Patience, whenFree } from './open-store-patiently.ts';

export interface ObjectsHereParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Who has the objects, for others who want them. Default: a daemon. */
  readonly holder?: Pick<LockHolder, 'command' | 'user' | 'kind'>;
  /** For another process that has them. Default: 'LockBusy' at once. */
  readonly patience?: Patience;
}

interface Open {
  readonly store: ObjectStore;
  readonly keeper: ObjectKeeper;
  close(): Promise<void>;
}

/** The object store of this process: opened when it is first asked for; one process at a time has its folder. */
export class ObjectsHere {
  readonly #parts: ObjectsHereParts;
  #open: Promise<Open> | undefined;
  #keeper: ObjectKeeper | undefined;
  /** Where this process serves them as S3, once it does. */
  listening: readonly string[] = [];

  constructor(parts: ObjectsHereParts) {
    this.#parts = parts;
  }

  /** Where the objects are. */
  get dir(): string {
    return objectsDir(this.#parts.config);
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** 'LockBusy' names who has them; 'CorruptState', 'Unavailable'. One that could not be opened is tried again by the next call. */
  async store(): Promise<ObjectStore> {
    const { patience } = this.#parts;
    this.#open ??= (patience === undefined ? this.#take() : whenFree(() => this.#take(), patience)).catch(
      (error: unknown) => {
        this.#open = undefined;
        throw error;
      },
    );
    const { store, keeper } = await this.#open;
    this.#keeper = keeper;
    return store;
  }

  /** Who looks after them, opened now unless there never were any. Errors: as `store`. */
  async ifAny(): Promise<ObjectKeeper | undefined> {
    if (!this.isOpen && !existsSync(this.dir)) return undefined;
    await this.store();
    return this.#keeper;
  }

  /** Who looks after them; undefined while they are not open. */
  get keeper(): ObjectKeeper | undefined {
    return this.#keeper;
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    this.#keeper = undefined;
    await (await open?.catch(() => undefined))?.close();
  }

  async #take(): Promise<Open> {
    const { config, clock, random, logger, holder } = this.#parts;
    const dir = objectsDir(config);
    const note = holder ?? ({ command: 'novactl serve', user: loginName(), kind: 'daemon' } as const);
    // Its own lock would do; this one says who has it.
    const lock = await acquireStateLock({
      ...{ dir, name: 'objects' },
      holder: { ...note, pid: process.pid, since: isoTime(clock.nowMs()) },
    });
    try {
      const store = await openObjectStore({ dir, clock, random, logger });
      const close = async (): Promise<void> => {
        try {
          await store.close();
        } finally {
          lock.release();
        }
      };
      return { store, keeper: await openKeeper(dir, { store, clock, logger }), close };
    } catch (error) {
      lock.release();
      throw error;
    }
  }
}
