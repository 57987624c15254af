import { asCloudError, CloudError, errorText, isCode } from '../../base/errors.ts';
import { KeyedQueue } from '../../base/keyed-queue.ts';
import type { ImageImportRecord } from '../../domain/image-import.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { ControllerContext } from '../controller-context.ts';
import { isHeld } from '../hosts/held.ts';
import { finishTarget } from '../operations/operation-record.ts';
import type { Draft } from '../state/draft.ts';
import { transact } from '../state/draft.ts';
import { dropBytes } from './drop-image.ts';
import { makeAvailable, makeFailed } from './end-import.ts';
import { ImportProgress } from './import-progress.ts';
import { importImage, type Imported } from './import-sources.ts';

/** In each lane. Each takes a disk's worth of room and much of a processor: here while it converts, or on the host whose disk it is of. */
const CONCURRENCY = 2;
/** Of what is read and converted here. Each host has one of its own: one that says nothing for long holds up its own images alone. */
const HERE = 'here';
/** So often an import is begun: by processes that did not live to end it, or while what it reads from can't be asked. */
export const IMPORT_ATTEMPTS = 3;
const AGAIN_MS = 5000;
const WRITE_AGAIN_MS = 1000;
/** What has said nothing for so long has hung. */
const QUIET_MS = 15 * 60_000;
const LOOK_MS = 60_000;

interface Taken {
  readonly record: ImageImportRecord;
  readonly image: ImageRecord;
}

/** What became of a transaction that ends an import. `lost`: somebody else has the import, or the image is gone. */
type Written = 'written' | 'lost' | { readonly refused: unknown };

/**
 * Makes the images that are pending. Level-triggered: every controller looks at every import and takes over, by compare-and-set, what no living one works on.
 * One transaction ends it. So an import is made once however many controllers there are, and nothing stays pending whatever dies when.
 */
export class ImageImporter {
  readonly #context: ControllerContext;
  readonly #lanes = new Map<string, KeyedQueue>();
  readonly #running = new Map<string, AbortController>();
  /** When an import that could not be made for now is tried again, by the monotonic clock. */
  readonly #notBefore = new Map<string, number>();
  readonly #closed = new AbortController();
  #watches: { close(): void }[] = [];
  #cleaned: Promise<void> | undefined;

  constructor(context: ControllerContext) {
    this.#context = context;
  }

  start(): void {
    const { store } = this.#context;
    const from = store.rev + 1;
    // Also a process that has nothing to make has what an earlier one left.
    this.#cleaned ??= this.#clean();
    this.#watches = [
      store.watch(PREFIX.imageImport, from, ({ ops }) => {
        for (const { key } of ops) this.#changed(key);
      }),
      // Another one may have died, or nobody was there while the cloud was held.
      ...[PREFIX.aliveControllers, KEYS.held].map((key) => store.watch(key, from, () => this.sweep())),
    ];
    this.sweep();
  }

  /** Looks at all imports. */
  sweep(): void {
    for (const { key } of this.#context.store.range(PREFIX.imageImport)) this.#lane(key)?.add(key);
  }

  /** Stops what is being made, and leaves it to whoever comes next. */
  async close(): Promise<void> {
    for (const watch of this.#watches.splice(0)) watch.close();
    const reason = new CloudError('Unavailable', 'this process ends');
    this.#closed.abort(reason);
    for (const running of this.#running.values()) running.abort(reason);
    await Promise.all([...this.#lanes.values()].map((lane) => lane.close()));
  }

  #changed(key: string): void {
    const running = this.#running.get(key);
    const record = this.#context.store.get<ImageImportRecord>(key)?.value;
    if (running === undefined) this.#lane(key)?.add(key);
    else if (record?.session !== this.#session)
      running.abort(new CloudError('Conflict', 'the image was deregistered, or another controller makes it'));
  }

  /** Where it waits for its turn; undefined: it is gone. */
  #lane(key: string): KeyedQueue | undefined {
    const source = this.#context.store.get<ImageImportRecord>(key)?.value.source;
    if (source === undefined || this.#closed.signal.aborted) {
      this.#notBefore.delete(key);
      return undefined;
    }
    const name = source.kind === 'instance' ? source.hostId : HERE;
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const { clock } = this.#context;
    const onError = (of: string, error: unknown): void => this.#again(of, error);
    const lane = new KeyedQueue({ clock, concurrency: CONCURRENCY, run: (of) => this.#import(of), onError });
    this.#lanes.set(name, lane);
    return lane;
  }

  #again(key: string, error: unknown): void {
    const { clock, logger } = this.#context;
    if (!isCode(error, 'Unavailable', 'Timeout', 'Conflict', 'StateHeld', 'StoragePoisoned'))
      logger.error('an image was not made', { key, error: errorText(error) });
    this.#notBefore.set(key, clock.monotonicMs() + AGAIN_MS);
    this.#lane(key)?.addAfter(key, AGAIN_MS);
  }

  get #session(): string {
    return this.#context.process.session;
  }

  #livesElsewhere({ session }: ImageImportRecord): boolean {
    return session !== undefined && session !== this.#session && this.#context.ownership.livesProcess(session);
  }

  async #import(key: string): Promise<void> {
    const { store, clock } = this.#context;
    const seen = store.get<ImageImportRecord>(key)?.value;
    if (seen === undefined || isHeld(store) || this.#livesElsewhere(seen)) return;
    const waitMs = (this.#notBefore.get(key) ?? 0) - clock.monotonicMs();
    if (waitMs > 0) {
      this.#lane(key)?.addAfter(key, waitMs);
      return;
    }
    this.#notBefore.delete(key);
    this.#cleaned ??= this.#clean();
    await this.#cleaned;
    const taken = await this.#take(key);
    if (taken === undefined) return;
    const abort = new AbortController();
    this.#running.set(key, abort);
    // What has changed since it was taken was not noticed.
    if (this.#closed.signal.aborted) abort.abort(this.#closed.signal.reason);
    else this.#changed(key);
    try {
      await this.#work(key, taken, abort);
    } finally {
      this.#running.delete(key);
    }
  }

  async #clean(): Promise<void> {
    const { workshop, logger } = this.#context;
    const warn = (error: unknown): void =>
      logger.warn('old work on images was not removed', { error: errorText(error) });
    await workshop?.clean().catch(warn);
  }

  /** Undefined: there is nothing to do for this process. */
  async #take(key: string): Promise<Taken | undefined> {
    const { store, clock } = this.#context;
    const { result } = await transact(store, (draft): Taken | undefined => {
      const record = draft.get<ImageImportRecord>(key);
      if (record === undefined || this.#livesElsewhere(record)) return undefined;
      const nowMs = clock.nowMs();
      const image = draft.get<ImageRecord>(KEYS.image(record.imageId));
      if (image?.state !== 'pending') {
        draft.del(key);
        finishTarget(draft, record.operationId, record.imageId, nowMs, {});
        return undefined;
      }
      if (record.attempts >= IMPORT_ATTEMPTS) {
        const message = `it was begun ${record.attempts} times, and each time the process that made it ended before the image was there (the last at: ${record.step}); see the log, and register it again`;
        makeFailed(draft, { record, image, nowMs, steps: [] }, { code: 'InternalError', message });
        return undefined;
      }
      const { totalBytes: _total, bytesPerSecond: _rate, ...rest } = record;
      const times = { startedAtMs: nowMs, updatedAtMs: nowMs };
      const begun = { session: this.#session, attempts: record.attempts + 1, step: 'starting', doneBytes: 0 };
      const next: ImageImportRecord = { ...rest, ...begun, ...times };
      draft.put(key, next);
      return { record: next, image };
    });
    return result;
  }

  async #work(key: string, { record, image }: Taken, abort: AbortController): Promise<void> {
    const { clock } = this.#context;
    const { signal } = abort;
    const progress = new ImportProgress(this.#context, key, this.#session);
    const hung = new CloudError('Timeout', `nothing came for ${QUIET_MS / 60_000} minutes`);
    const look = clock.every(LOOK_MS, () => (progress.quietMs > QUIET_MS ? abort.abort(hung) : undefined), {
      unref: true,
    });
    const failed = (error: unknown): Promise<void> => this.#failed(key, record, signal, error, progress);
    let imported: Imported;
    try {
      signal.throwIfAborted();
      imported = await importImage({ cloud: this.#context, record, image, onProgress: progress.report, signal });
    } catch (error) {
      await progress.stop();
      return await failed(error);
    } finally {
      look.cancel();
    }
    await progress.stop();
    const end = await this.#end(key, (draft, found) => {
      makeAvailable(draft, { ...found, nowMs: clock.nowMs(), steps: progress.steps(record.imageId) }, imported);
    });
    if (end === 'written') return this.#dropSent(record);
    await dropBytes(this.#context, imported.built.blob.key);
    if (end !== 'lost') await failed(end.refused);
  }

  async #failed(
    key: string,
    record: ImageImportRecord,
    signal: AbortSignal,
    error: unknown,
    progress: ImportProgress,
  ): Promise<void> {
    if (this.#closed.signal.aborted) return this.#release(key);
    // Somebody wanted it so, and has written what is to be written.
    if (isCode(signal.reason, 'Conflict')) return;
    if (isCode(error, 'Unavailable', 'Timeout') && record.attempts < IMPORT_ATTEMPTS) throw error;
    const { clock, logger } = this.#context;
    const known = asCloudError(signal.aborted ? signal.reason : error);
    if (known.code === 'InternalError') logger.error('an image failed', { key, error: errorText(error) });
    const end = await this.#end(key, (draft, found) => {
      const steps = progress.steps(record.imageId, known.message);
      makeFailed(draft, { ...found, nowMs: clock.nowMs(), steps }, known);
    });
    if (end === 'written') await this.#dropSent(record);
  }

  /** Writes how it ended, as long as this process has it; waits for a store that is away. `refused`: what `write` has thrown. */
  async #end(key: string, write: (draft: Draft, found: Taken) => void): Promise<Written> {
    const { store, clock } = this.#context;
    for (;;) {
      let refusal: unknown;
      try {
        const { result } = await transact(store, (draft): Written => {
          const record = draft.get<ImageImportRecord>(key);
          const image = record && draft.get<ImageRecord>(KEYS.image(record.imageId));
          if (record?.session !== this.#session || image === undefined) return 'lost';
          try {
            write(draft, { record, image });
          } catch (error) {
            refusal = error;
            throw error;
          }
          return 'written';
        });
        return result;
      } catch (error) {
        // Only of this is it known that nothing was written.
        if (error === refusal) return { refused: error };
        if (!isCode(error, 'Unavailable', 'Timeout', 'Conflict', 'StateHeld')) throw error;
        await clock.sleep(WRITE_AGAIN_MS, this.#closed.signal);
      }
    }
  }

  /** A process that ends in order has not tried in vain: whoever takes it over has all attempts. */
  async #release(key: string): Promise<void> {
    const { store, logger } = this.#context;
    await transact(store, (draft) => {
      const record = draft.get<ImageImportRecord>(key);
      if (record?.session !== this.#session) return;
      const { session: _session, ...rest } = record;
      draft.put(key, { ...rest, attempts: record.attempts - 1, step: 'waiting', doneBytes: 0 });
    }).catch((error: unknown) => logger.debug('an import was not given up', { key, error: errorText(error) }));
  }

  /** Bytes that were sent to be converted. */
  async #dropSent({ source }: ImageImportRecord): Promise<void> {
    if (source.kind === 'upload') await dropBytes(this.#context, source.blobKey);
  }
}
