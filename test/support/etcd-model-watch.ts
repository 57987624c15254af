import type {
  EtcdEvent,
  EtcdWatch,
  EtcdWatchAnswer,
  EtcdWatchListener,
} from '../../src/adapters/store/etcd/etcd-api.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { EtcdModel } from './etcd-model.ts';

/** One stream of a model's client: at most one answer on its way, so that they arrive in order. */
export class ModelWatch {
  readonly client: string;
  readonly #model: EtcdModel;
  readonly #clock: Clock;
  readonly #request: EtcdWatch;
  readonly #listener: EtcdWatchListener;
  #next: number;
  #created = false;
  #busy = false;
  #over = false;

  constructor(
    model: EtcdModel,
    client: { name: string; clock: Clock },
    request: EtcdWatch,
    listener: EtcdWatchListener,
  ) {
    this.#model = model;
    this.client = client.name;
    this.#clock = client.clock;
    this.#request = request;
    this.#listener = listener;
    this.#next = request.startRevision;
    model.watches.add(this);
    if (model.quorum) this.pump();
    else this.end('etcd: no leader');
  }

  /** Sends what is owed, an answer at a time. */
  pump(): void {
    if (this.#busy || this.#over || !this.#model.reaches(this.client)) return;
    const { state } = this.#model;
    if (this.#created && this.#next > state.revision) return;
    this.#busy = true;
    this.#clock.after(this.#model.options.latencyMs?.() ?? 0, () => {
      this.#busy = false;
      if (this.#over || !this.#model.reaches(this.client)) return;
      const answer = this.#answer();
      if (answer === undefined) return;
      if (this.#model.watchFaults(this.client, answer) === 'cut') this.end('the connection was cut');
      else this.#listener.onAnswer(answer);
      if (answer.canceled) this.end('etcd: the watch was canceled');
      this.pump();
    });
  }

  /** The server's side or the line ends it: the client is told. */
  end(problem: string): void {
    if (this.#over) return;
    this.close();
    this.#clock.defer(() => this.#listener.onEnd(problem));
  }

  close(): void {
    this.#over = true;
    this.#model.watches.delete(this);
  }

  #answer(): EtcdWatchAnswer | undefined {
    const { state } = this.#model;
    const base = { header: state.header, created: false, canceled: false, compactRevision: 0, events: [] };
    if (!this.#created) {
      this.#created = true;
      return { ...base, created: true };
    }
    if (this.#next < state.compacted) return { ...base, canceled: true, compactRevision: state.compacted };
    const events = this.#owed();
    return events.length === 0 ? undefined : { ...base, events };
  }

  #owed(): EtcdEvent[] {
    const { key, rangeEnd } = this.#request;
    const { state, options } = this.#model;
    const events: EtcdEvent[] = [];
    for (; this.#next <= state.revision; this.#next += 1) {
      const wanted = (event: EtcdEvent): boolean =>
        event.kv.key >= key && event.kv.key < rangeEnd && !this.#model.losesEvent(event);
      const here = state.eventsOf(this.#next).filter(wanted);
      if (events.length > 0 && events.length + here.length > (options.watchBatch ?? 1000)) break;
      events.push(...here);
    }
    return events;
  }
}
