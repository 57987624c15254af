import type { Timer } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import type { ImageImportRecord } from '../../domain/image-import.ts';
import type { OperationStep } from '../../domain/records.ts';
import type { ControllerContext } from '../controller-context.ts';
import { noteSteps } from '../operations/operation-record.ts';
import { transact } from '../state/draft.ts';

/** Records are for people to look at: more often is no use to them. */
const WRITE_EVERY_MS = 2000;
/** Before that a rate says nothing. */
const RATE_AFTER_MS = 1000;
const STEPS_MAX = 20;

type Context = Pick<ControllerContext, 'store' | 'clock' | 'logger'>;
type Said = Pick<ImageImportRecord, 'step' | 'doneBytes' | 'totalBytes'>;

/** How far an import is: kept in its record every two seconds at most, and by step for the operation. Losing it loses nothing else. */
export class ImportProgress {
  readonly #context: Context;
  readonly #key: string;
  readonly #session: string;
  #said: Said | undefined;
  #steps: { step: string; atMs: number; fromMs: number; doneBytes: number }[] = [];
  #writtenMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #stopped = false;
  #heardMs: number;

  constructor(context: Context, key: string, session: string) {
    this.#context = context;
    this.#key = key;
    this.#session = session;
    this.#heardMs = context.clock.monotonicMs();
  }

  /** So long nothing has been heard. */
  get quietMs(): number {
    return this.#context.clock.monotonicMs() - this.#heardMs;
  }

  readonly report = (step: string, doneBytes: number, totalBytes?: number): void => {
    if (this.#stopped) return;
    const { clock } = this.#context;
    this.#heardMs = clock.monotonicMs();
    if (this.#steps.at(-1)?.step !== step && this.#steps.length < STEPS_MAX)
      this.#steps.push({ step, atMs: clock.nowMs(), fromMs: clock.monotonicMs(), doneBytes });
    this.#said = { step, doneBytes, ...(totalBytes === undefined ? {} : { totalBytes }) };
    this.#writeSoon();
  };

  /** No more is written once this has resolved. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#writing;
  }

  /** For the operation's record; the error belongs to the last. */
  steps(target: string, error?: string): OperationStep[] {
    const endMs = this.#context.clock.monotonicMs();
    return this.#steps.map(({ step, atMs, fromMs }, index) => ({
      ...{ target, step, atMs },
      tookMs: Math.round((this.#steps[index + 1]?.fromMs ?? endMs) - fromMs),
      ...(error === undefined || index < this.#steps.length - 1 ? {} : { error }),
    }));
  }

  #writeSoon(): void {
    if (this.#timer !== undefined || this.#writing !== undefined || this.#stopped) return;
    const { clock } = this.#context;
    const waitMs = this.#writtenMs + WRITE_EVERY_MS - clock.monotonicMs();
    if (waitMs <= 0) {
      this.#write();
      return;
    }
    const run = (): void => {
      this.#timer = undefined;
      this.#write();
    };
    this.#timer = clock.after(waitMs, run, { unref: true });
  }

  /** The last one is under way. */
  #stepsNow(target: string, { doneBytes, totalBytes }: Said): OperationStep[] {
    const progress = { doneBytes, ...(totalBytes === undefined ? {} : { totalBytes }) };
    return this.steps(target).map((step, index, all) => {
      if (index < all.length - 1) return step;
      const { tookMs: _sofar, ...last } = step;
      return { ...last, progress };
    });
  }

  #write(): void {
    const said = this.#said;
    if (said === undefined || this.#stopped) return;
    const { store, clock, logger } = this.#context;
    this.#writtenMs = clock.monotonicMs();
    const bytesPerSecond = this.#rate(said.doneBytes);
    this.#said = undefined;
    this.#writing = transact(store, (draft) => {
      const record = draft.get<ImageImportRecord>(this.#key);
      if (record === undefined || record.session !== this.#session) return;
      const { totalBytes: _total, bytesPerSecond: _rate, ...rest } = record;
      const updatedAtMs = clock.nowMs();
      draft.put(this.#key, {
        ...rest,
        ...said,
        ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
        updatedAtMs,
      });
      noteSteps(draft, record.operationId, record.imageId, this.#stepsNow(record.imageId, said));
    })
      .then(
        () => undefined,
        (error: unknown) => logger.debug('progress of an image was not written', { error: errorText(error) }),
      )
      .finally(() => {
        this.#writing = undefined;
        if (this.#said !== undefined) this.#writeSoon();
      });
  }

  #rate(doneBytes: number): number | undefined {
    const step = this.#steps.at(-1);
    if (step === undefined) return undefined;
    const tookMs = this.#context.clock.monotonicMs() - step.fromMs;
    return tookMs < RATE_AFTER_MS ? undefined : Math.round(((doneBytes - step.doneBytes) / tookMs) * 1000);
  }
}
