import type { Clock } from '../../base/clock.ts';
import { CloudError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { projectWithoutRegion } from '../../domain/project-region.ts';
import type { CollectNote, ObjectsOverview, ScrubNote } from '../../messages/object-keeping.ts';
import type { ObjectStore, ScrubProgress } from '../../ports/object-store.ts';
import { type LeavingProject, ProjectGate } from './project-gate.ts';

/** What is remembered from one process to the next. */
export interface KeepingNotes {
  readonly v: 1;
  readonly lastScrub?: ScrubNote;
  readonly lastCollect?: CollectNote;
}

export interface ObjectKeeperParts {
  readonly store: ObjectStore;
  readonly clock: Pick<Clock, 'nowMs' | 'monotonicMs'>;
  readonly logger: Logger;
  readonly notes: KeepingNotes;
  /** Keeps them for the next process. */
  readonly write: (notes: KeepingNotes) => Promise<void>;
  /** Bytes that the disk still takes. */
  readonly freeBytes: () => Promise<number>;
}

/** Damaged ones that are kept by name. */
const NAMED_MAX = 1000;

/** Looks after the objects of this process: compares bytes with what was stored, removes what nothing names, remembers how it went. */
export class ObjectKeeper {
  /** What makes a bucket passes it. */
  readonly gate: ProjectGate;
  readonly #parts: ObjectKeeperParts;
  #notes: KeepingNotes;
  #isScrubbing = false;

  constructor(parts: ObjectKeeperParts) {
    this.#parts = parts;
    this.gate = new ProjectGate(parts.clock);
    this.#notes = parts.notes;
  }

  get notes(): KeepingNotes {
    return this.#notes;
  }

  /** What the last scrub found; undefined: nothing that is wrong. */
  get problem(): string | undefined {
    const { lastScrub } = this.#notes;
    if (lastScrub === undefined || lastScrub.damagedCount === 0) return undefined;
    const { damagedCount, damaged } = lastScrub;
    return `${damagedCount} ${damagedCount === 1 ? 'object is' : 'objects are'} damaged, the first is ${damaged[0] ?? 'not known'}; see "novactl objectstore show", and restore what it names`;
  }

  /** 'Busy' */
  refuseIfScrubbing(): void {
    if (!this.#isScrubbing) return;
    throw new CloudError('Busy', 'a scrub of the objects is under way; "novactl objectstore show" says how it ended');
  }

  /** All bytes are read and compared. 'Busy' while another one runs; the signal's reason when it is aborted: then nothing is noted. */
  async scrub(
    options: {
      readonly signal?: AbortSignal;
      readonly bytesPerSecond?: number;
      readonly onProgress?: (progress: ScrubProgress) => void;
    } = {},
  ): Promise<ScrubNote> {
    this.refuseIfScrubbing();
    this.#isScrubbing = true;
    const { store, clock, logger } = this.#parts;
    const startedAtMs = clock.nowMs();
    try {
      const { damaged, ...counts } = await store.scrub(options);
      const note: ScrubNote = {
        ...{ ...counts, startedAtMs, endedAtMs: clock.nowMs() },
        ...{ damaged: damaged.slice(0, NAMED_MAX), damagedCount: damaged.length },
      };
      await this.#note({ lastScrub: note });
      if (damaged.length > 0) logger.error('objects are damaged', { count: damaged.length, first: damaged[0] });
      else logger.info('all objects are what they were', { objects: counts.objects, bytes: counts.bytes });
      return note;
    } finally {
      this.#isScrubbing = false;
    }
  }

  /** Removes what nothing names. */
  async collect(): Promise<CollectNote> {
    const removed = await this.#parts.store.collect();
    const note = { atMs: this.#parts.clock.nowMs(), removed };
    await this.#note({ lastCollect: note });
    return note;
  }

  /** Names of the buckets, in any region, of a project that is to be deleted. If there are none, none is made for a while. */
  bucketsOf(project: LeavingProject): Promise<string[]> {
    return this.gate.leave(project, async () => {
      const buckets = await this.#parts.store.buckets();
      return buckets.filter((one) => projectWithoutRegion(one.projectId) === project.projectId).map(({ name }) => name);
    });
  }

  async overview(): Promise<ObjectsOverview> {
    const { store, freeBytes } = this.#parts;
    const buckets = await store.buckets();
    let [objects, bytes] = [0, 0];
    for (const { name } of buckets) {
      const usage = await store.usage(name);
      objects += usage.objects;
      bytes += usage.bytes;
    }
    const { v: _, ...notes } = this.#notes;
    return {
      ...{ buckets: buckets.length, objects, bytes, freeBytes: await freeBytes(), scrubbing: this.#isScrubbing },
      ...notes,
    };
  }

  async #note(change: Omit<KeepingNotes, 'v'>): Promise<void> {
    this.#notes = { ...this.#notes, ...change };
    await this.#parts.write(this.#notes);
  }
}
