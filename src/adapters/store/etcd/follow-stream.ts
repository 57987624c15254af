import type { Clock, Timer } from '../../../base/clock.ts';
import { errorText } from '../../../base/errors.ts';
import type { EtcdApi, EtcdWatchAnswer } from './etcd-api.ts';
import type { KeySpace } from './key-space.ts';

const CREATED_MS = 5_000;

export interface FollowStreamOptions {
  readonly api: EtcdApi;
  readonly clock: Clock;
  readonly keys: KeySpace;
  readonly startRevision: number;
  /** Asked once the stream stands, so that its answer holds for what comes over it. */
  readonly verify: () => Promise<'same' | 'other'>;
  /** Each answer with events, in order. */
  readonly apply: (answer: EtcdWatchAnswer) => void;
  /** Events go straight through from here on. */
  readonly onLive: () => void;
}

export interface StreamEnd {
  /** 'relist': what comes next can't be had as events. */
  readonly what: 'again' | 'relist';
  readonly problem: string;
}

/** One watch over all keys of the cloud, from its opening to its end. Events wait until the history behind them is known to be the same. */
export class FollowStream {
  readonly ended: Promise<StreamEnd>;
  readonly #options: FollowStreamOptions;
  readonly #createdBy: Timer;
  #resolve: (end: StreamEnd) => void = () => undefined;
  #watch: { close(): void } | undefined;
  #waiting: EtcdWatchAnswer[] | undefined = [];
  #over = false;

  constructor(options: FollowStreamOptions) {
    this.#options = options;
    this.ended = new Promise((resolve) => (this.#resolve = resolve));
    const { api, clock, keys, startRevision } = options;
    this.#createdBy = clock.after(CREATED_MS, () => this.end('again', 'etcd does not answer to a watch'), {
      unref: true,
    });
    const watch = api.watch(
      { ...keys.all, startRevision },
      {
        onAnswer: (answer) => this.#take(answer),
        onEnd: (problem) => this.end('again', problem),
      },
    );
    this.#watch = watch;
    if (this.#over) watch.close();
  }

  /** Its events are applied as they come. */
  get isLive(): boolean {
    return !this.#over && this.#waiting === undefined;
  }

  end(what: StreamEnd['what'], problem: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#createdBy.cancel();
    this.#watch?.close();
    this.#resolve({ what, problem });
  }

  #take(answer: EtcdWatchAnswer): void {
    if (this.#over) return;
    if (answer.canceled) {
      const compacted = answer.compactRevision > 0;
      const problem = compacted ? `history before ${answer.compactRevision} is gone` : 'etcd canceled the watch';
      this.end(compacted ? 'relist' : 'again', problem);
      return;
    }
    if (answer.created) {
      this.#createdBy.cancel();
      void this.#check();
    }
    if (answer.events.length === 0) return;
    if (this.#waiting === undefined) this.#options.apply(answer);
    else this.#waiting.push(answer);
  }

  async #check(): Promise<void> {
    try {
      const found = await this.#options.verify();
      if (this.#over) return;
      if (found === 'other') {
        this.end('relist', 'etcd has another history');
        return;
      }
    } catch (error) {
      this.end('again', errorText(error));
      return;
    }
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const answer of waiting) this.#options.apply(answer);
    this.#options.onLive();
  }
}
