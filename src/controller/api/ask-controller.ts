import type { Clock, Timer } from '../../base/clock.ts';
import { CloudError, isCode } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { Bus } from '../../ports/bus.ts';

export interface Asker {
  readonly bus: Bus;
  readonly clock: Clock;
  /** The controllers that live, by name. */
  readonly controllers: () => readonly string[];
}

export interface Question {
  /** Of this question; the same each time that it is asked. */
  readonly askId: string;
  /** Carries a client token, so that however often it is asked it is done once. */
  readonly body: Json;
  readonly timeoutMs: number;
}

/** Most changes are answered in well under a second; after so long without an answer somebody may have died with it. */
const AGAIN_MS = 20_000;
/** Where the answer can't come any more, since a connection or a process went. */
const LOST_MS = 1000;
/** A controller that does not say within this time whether it is at it may be at it. */
const LOOK_MS = 3000;

/**
 * Asks a controller to carry out a change, and asks again when nobody is at it any more: a process or the broker may have died with the question
 * or with the answer. What the controller answers is returned or thrown; CloudError 'Timeout' of the topic `controller` when no answer came in time.
 */
export function askController(asker: Asker, question: Question): Promise<Json | undefined> {
  return new Asking(asker, question).answer();
}

class Asking {
  readonly #asker: Asker;
  readonly #question: Question;
  readonly #endMs: number;
  readonly #outcome = Promise.withResolvers<Json | undefined>();
  #asked = 0;
  /** Questions whose answer may still come. */
  #open = 0;
  #settled = false;
  #why: CloudError | undefined;
  #timer: Timer | undefined;
  #wake: (() => void) | undefined;

  constructor(asker: Asker, question: Question) {
    this.#asker = asker;
    this.#question = question;
    this.#endMs = asker.clock.monotonicMs() + question.timeoutMs;
  }

  answer(): Promise<Json | undefined> {
    void this.#run();
    return this.#outcome.promise;
  }

  get #leftMs(): number {
    return this.#endMs - this.#asker.clock.monotonicMs();
  }

  async #run(): Promise<void> {
    for (;;) {
      this.#ask();
      do {
        await this.#pause();
        if (this.#settled) return;
        if (this.#leftMs <= 0) {
          this.#settle(() => this.#outcome.reject(this.#why ?? noAnswer(this.#question.timeoutMs)));
          return;
        }
      } while (await this.#isUnderWay());
      if (this.#settled) return;
    }
  }

  #ask(): void {
    const isFirst = this.#asked === 0;
    this.#asked += 1;
    this.#open += 1;
    const { bus } = this.#asker;
    bus.call(TOPIC.controller, 'operation', this.#question.body, { timeoutMs: Math.max(1, this.#leftMs) }).then(
      (answer) => this.#settle(() => this.#outcome.resolve(answer)),
      (error: CloudError) => {
        this.#open -= 1;
        if (!isLost(error, isFirst)) this.#settle(() => this.#outcome.reject(error));
        else this.#lost(error);
      },
    );
  }

  #lost(error: CloudError): void {
    // That of the first says most: later ones may only tell of the same cut.
    this.#why ??= isCode(error, 'Timeout') ? error : undefined;
    if (this.#open === 0 && this.#wake !== undefined) this.#setTimer(LOST_MS, this.#wake);
  }

  #settle(settle: () => void): void {
    if (this.#settled) return;
    this.#settled = true;
    settle();
    this.#wake?.();
  }

  /** Until it is time to look again, or nothing is left to wait for. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#timer?.cancel();
        this.#wake = undefined;
        resolve();
      };
      this.#setTimer(this.#open > 0 ? AGAIN_MS : LOST_MS, this.#wake);
    });
  }

  #setTimer(waitMs: number, run: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#asker.clock.after(Math.max(1, Math.min(waitMs, this.#leftMs)), run);
  }

  /** Looking at a machine or booting a guest on it takes its time, and is not begun twice side by side. */
  async #isUnderWay(): Promise<boolean> {
    const { bus, controllers } = this.#asker;
    const { askId } = this.#question;
    const options = { timeoutMs: Math.max(1, Math.min(LOOK_MS, this.#leftMs)) };
    const looks = controllers().map((id) =>
      bus.call(TOPIC.controllerOf(id), 'operation-under-way', { v: 1, askId }, options).then(
        (answer) => answer === true,
        (error: unknown) => isCode(error, 'Timeout'),
      ),
    );
    return (await Promise.all(looks)).includes(true);
  }
}

/** Whether the answer, if there was one, went astray. One that was told 'Unavailable' at the first time was told so by whoever knows. */
function isLost(error: CloudError, isFirst: boolean): boolean {
  // The controller itself may have waited in vain for somebody else, and says so.
  if (isCode(error, 'Timeout')) return error.details?.['topic'] === TOPIC.controller;
  return !isFirst && isCode(error, 'Unavailable', 'RequestLimitExceeded');
}

function noAnswer(timeoutMs: number): CloudError {
  return new CloudError('Timeout', `no controller answered within ${timeoutMs} ms`, {
    details: { topic: TOPIC.controller },
  });
}
