import { Readable } from 'node:stream';
import { createMemoryStore } from '../../src/adapters/store/memory-store.ts';
import { CloudError } from '../../src/base/errors.ts';
import { newId } from '../../src/base/ids.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { ControllerContext } from '../../src/controller/controller-context.ts';
import { addPendingImage } from '../../src/controller/images/add-pending-image.ts';
import { ImageImporter } from '../../src/controller/images/image-importer.ts';
import { transact } from '../../src/controller/state/draft.ts';
import { inspectImage } from '../../src/domain/image-format.ts';
import type { ImageImportRecord, ImageSource } from '../../src/domain/image-import.ts';
import { KEYS } from '../../src/domain/keys.ts';
import type { ImageRecord, OperationRecord } from '../../src/domain/records.ts';
import type { Blobs } from '../../src/ports/blobs.ts';
import type { ImageObjects } from '../../src/ports/image-objects.ts';
import type { ImageWorkshop } from '../../src/ports/image-workshop.ts';
import type { Store } from '../../src/ports/store.ts';
import { createMemoryBlobs } from '../simulation/memory-blobs.ts';
import { ManualClock } from './manual-clock.ts';
import { md5 } from './object-samples.ts';
import { bootSector } from './sim-cloud.ts';

/** A process can die before or after each of its effects; from then on nothing it asked for is ever answered. */
class Life {
  readonly effects: string[] = [];
  dead = false;
  readonly #diesAt: { readonly effect: number; readonly when: 'before' | 'after' } | undefined;
  readonly #onDeath: () => void;

  constructor(diesAt: Life['diesAt'], onDeath: () => void) {
    this.#diesAt = diesAt;
    this.#onDeath = onDeath;
  }

  get diesAt(): { readonly effect: number; readonly when: 'before' | 'after' } | undefined {
    return this.#diesAt;
  }

  async effect<T>(what: string, run: () => Promise<T>): Promise<T> {
    if (this.dead) return new Promise(() => undefined);
    const number = this.effects.push(what) - 1;
    const isLast = this.#diesAt?.effect === number;
    if (isLast && this.#diesAt.when === 'before') return this.#die();
    const result = await run();
    return isLast || this.dead ? this.#die() : result;
  }

  #die<T>(): Promise<T> {
    if (!this.dead) {
      this.dead = true;
      this.#onDeath();
    }
    return new Promise(() => undefined);
  }
}

export interface ImportingProcess {
  readonly importer: ImageImporter;
  readonly life: Life;
  readonly context: ControllerContext;
}

/** Controllers that make images, over one store, one folder of blobs and one object store; the workshop inspects what comes and stores it. */
export class ImportingControllers {
  readonly clock = new ManualClock();
  readonly random = new SeededRandom(7);
  readonly store: Store = createMemoryStore({ clock: this.clock, random: this.random });
  readonly blobs: Blobs = createMemoryBlobs();
  /** By `bucket/key`; an error is what reading it says. */
  readonly objects = new Map<string, Buffer | CloudError>([['b/disk', bootSector()]]);
  readonly alive = new Set<string>();
  builds = 0;
  /** How often what earlier work left was removed. */
  cleans = 0;
  /** A build goes on although it was told to stop: it was too late. */
  heedless = false;
  /** Before a build stores its result. */
  hold: (signal: AbortSignal) => Promise<void> = () => Promise.resolve();

  start(name: string, diesAt?: Life['diesAt']): ImportingProcess {
    this.alive.add(name);
    const life = new Life(diesAt, () => this.alive.delete(name));
    const context = this.#context(name, life);
    const importer = new ImageImporter(context);
    importer.start();
    return { importer, life, context };
  }

  /** A pending image, as an operation writes it. */
  async register(source: ImageSource = { kind: 'object', bucket: 'b', key: 'disk' }): Promise<string> {
    const id = newId('image', this.random);
    const principal = { name: 'ann', projectId: 'p', roles: ['sysadmin'], from: 'test' };
    const operationId = `op-${id.slice(4)}`;
    const nowMs = this.clock.nowMs();
    await transact(this.store, (draft) => {
      const image = { v: 1, id, name: id, kind: 'machine', projectId: 'p', public: false } as const;
      const coming = { ...image, architecture: 'x86_64', createdAtMs: nowMs } as const;
      addPendingImage(draft, coming, { source, tags: undefined, context: { principal, operationId, nowMs } });
      const operation = { v: 1, id: operationId, name: 'RegisterImage', status: 'running', principal: 'ann' } as const;
      draft.put(KEYS.operation(operationId), {
        ...{ ...operation, projectId: 'p', from: 'test', inputDigest: '', startedAtMs: nowMs },
        ...{ targets: [id], pending: [id], steps: [] },
      } satisfies OperationRecord);
    });
    return id;
  }

  image(id: string): ImageRecord {
    const record = this.store.get<ImageRecord>(KEYS.image(id))?.value;
    if (record === undefined) throw new Error(`no image ${id}`);
    return record;
  }

  import(id: string): ImageImportRecord | undefined {
    return this.store.get<ImageImportRecord>(KEYS.imageImport(id))?.value;
  }

  operation(id: string): OperationRecord | undefined {
    return this.store.get<OperationRecord>(KEYS.operation(`op-${id.slice(4)}`))?.value;
  }

  async blobKeys(): Promise<string[]> {
    return (await this.blobs.list('')).map(({ key }) => key);
  }

  #context(name: string, life: Life): ControllerContext {
    const { store, blobs } = this;
    const parts: Partial<ControllerContext> = {
      ...{ clock: this.clock, random: this.random, logger: silentLogger, cloudId: 'cloud-1' },
      store: mortal(store, life, ['txn', 'barrier']),
      blobs: mortal(blobs, life, ['put', 'delete']),
      imageObjects: this.#imageObjects(),
      process: { session: name } as ControllerContext['process'],
      ownership: {
        controllerId: name,
        controllers: () => [...this.alive],
        livesProcess: (session: string) => this.alive.has(session),
      } as unknown as ControllerContext['ownership'],
    };
    return { ...parts, workshop: this.#workshop(parts.blobs ?? blobs) } as ControllerContext;
  }

  #imageObjects(): ImageObjects {
    return {
      open: (_asker, { bucket, key }) => {
        const found = this.objects.get(`${bucket}/${key}`) ?? new CloudError('NoSuchKey', 'there is none');
        if (found instanceof CloudError) return Promise.reject(found);
        const read = () => Promise.resolve(Readable.from([found]));
        return Promise.resolve({ sizeBytes: found.length, etag: md5(found), read });
      },
    };
  }

  #workshop(blobs: Blobs): ImageWorkshop {
    return {
      clean: () => {
        this.cleans += 1;
        return Promise.resolve();
      },
      build: async (source, { sizeBytes, onProgress, signal }) => {
        this.builds += 1;
        const chunks: Buffer[] = [];
        for await (const chunk of source) chunks.push(chunk as Buffer);
        const bytes = Buffer.concat(chunks);
        onProgress?.('reading', bytes.length, sizeBytes);
        const facts = inspectImage(bytes, bytes.length);
        await this.hold(signal);
        if (!this.heedless) signal.throwIfAborted();
        const blob = await blobs.put(`upload/${newId('blob', this.random)}`, Readable.from([bytes]));
        return { blob, facts, notes: ['looked at'] };
      },
    };
  }
}

/** The thing, of a process that may be dead. */
function mortal<T extends object>(thing: T, life: Life, effects: readonly string[]): T {
  return new Proxy(thing, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      const call = value.bind(target) as (...words: unknown[]) => Promise<unknown>;
      if (!effects.includes(String(name))) return call;
      return (...words: unknown[]) => life.effect(String(name), () => call(...words));
    },
  });
}
