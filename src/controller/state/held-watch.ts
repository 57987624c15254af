import { errorText } from '../../base/errors.ts';
import { toJson } from '../../base/json.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AdoptedRecord, HeldRecord } from '../../domain/records.ts';
import { isRestorable, type RestoredStore } from '../../ports/store.ts';
import type { ControllerContext } from '../controller-context.ts';
import { heldText } from '../hosts/held.ts';

const LOOK_MS = 1000;

interface Options {
  /** This process writes what it noticed (the controller role). */
  readonly writes: boolean;
  /** Called when the store may be worked on again. */
  readonly onFree: () => void;
}

/**
 * Notices that the store was restored from an older copy, and holds the whole cloud until an administrator adopts it: by a record that every process
 * sees. When the record goes, each process accepts the new history.
 */
export class HeldWatch {
  readonly #context: Pick<ControllerContext, 'store' | 'clock' | 'logger'>;
  readonly #options: Options;
  #held = false;
  /** When the last adoption that was known before anything was noticed was made; 0: none. */
  #adoptedAtMs = 0;
  #watch: { close(): void } | undefined;
  #timer: { cancel(): void } | undefined;
  #looking: Promise<void> | undefined;

  constructor(context: Pick<ControllerContext, 'store' | 'clock' | 'logger'>, options: Options) {
    this.#context = context;
    this.#options = options;
  }

  /** After it a restored store is held by its record; where that can't be written now, by what this process knows alone. */
  async start(): Promise<void> {
    const { store, clock } = this.#context;
    this.#look();
    await this.#looking;
    this.#watch = store.watch(KEYS.held, store.rev + 1, () => this.#look());
    this.#timer = clock.every(LOOK_MS, () => this.#look(), { unref: true });
  }

  async close(): Promise<void> {
    this.#watch?.close();
    this.#timer?.cancel();
    await this.#looking;
  }

  #look(): void {
    const { logger } = this.#context;
    this.#looking ??= this.#lookOnce()
      .catch((error: unknown) => logger.warn('the restored store can not be held now', { error: errorText(error) }))
      .finally(() => (this.#looking = undefined));
  }

  async #lookOnce(): Promise<void> {
    const { store, logger } = this.#context;
    const record = store.get<HeldRecord>(KEYS.held)?.value;
    const { restored } = store.health();
    if (record !== undefined) {
      if (!this.#held) logger.error(heldText(record));
      this.#held = true;
    } else if (restored === undefined) {
      this.#adoptedAtMs = this.#lastAdoptedMs();
      if (this.#held) this.#free();
    } else if (this.#adoptedSince(restored)) {
      if (isRestorable(store)) await store.acceptHistory();
      logger.info('the restored store was adopted', { knownRev: restored.knownRev, rev: restored.rev });
      this.#adoptedAtMs = this.#lastAdoptedMs();
      this.#free();
    } else if (this.#options.writes) {
      await this.#hold(restored);
    }
  }

  #free(): void {
    this.#held = false;
    this.#options.onFree();
  }

  #lastAdoptedMs(): number {
    return this.#context.store.get<AdoptedRecord>(KEYS.adopted)?.value.atMs ?? 0;
  }

  /**
   * Somebody adopted the store: now, or while this process was away. That the record is gone does not say so, as it goes with a second restore, too;
   * nor does an adoption other than the known one, which may be an earlier one that the backup holds.
   */
  #adoptedSince({ adoptedAtMs = this.#adoptedAtMs }: RestoredStore): boolean {
    return this.#lastAdoptedMs() > adoptedAtMs;
  }

  async #hold(restored: RestoredStore): Promise<void> {
    const { sinceMs, reason, knownRev, rev } = restored;
    const record: HeldRecord = { v: 1, sinceMs, reason, knownRev, rev };
    const { store } = this.#context;
    await store.txn({ guards: [{ key: KEYS.held, absent: true }], puts: [{ key: KEYS.held, value: toJson(record) }] });
  }
}
