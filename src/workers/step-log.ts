import type { Clock } from '../base/clock.ts';
import { asCloudError } from '../base/errors.ts';

export interface StepTime {
  step: string;
  atMs: number;
  tookMs?: number;
  error?: string;
}

/** The steps of one command with their times; a step that fails is named in the outcome. */
export class StepLog {
  readonly steps: StepTime[] = [];
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #onStep: (step: string, atMs: number) => void;

  constructor(clock: Clock, signal: AbortSignal, onStep: (step: string, atMs: number) => void) {
    this.#clock = clock;
    this.#signal = signal;
    this.#onStep = onStep;
  }

  /** Runs one step. A command that newer intent has overtaken stops between steps. */
  async run<T>(step: string, work: () => Promise<T>): Promise<T> {
    this.#signal.throwIfAborted();
    const entry: StepTime = { step, atMs: this.#clock.nowMs() };
    const began = this.#clock.monotonicMs();
    this.steps.push(entry);
    this.#onStep(step, entry.atMs);
    try {
      return await work();
    } catch (error) {
      entry.error = asCloudError(error).message;
      throw error;
    } finally {
      entry.tookMs = Math.round(this.#clock.monotonicMs() - began);
    }
  }

  /** The step that failed, else the one that was begun last. */
  get last(): string | undefined {
    return (this.steps.find((step) => step.error !== undefined) ?? this.steps.at(-1))?.step;
  }
}
