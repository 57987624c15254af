import type { Clock, Timer } from '../../../base/clock.ts';
import type { EtcdApi } from './etcd-api.ts';
import { CALL_MS } from './etcd-patience.ts';

const LOOK_MS = 30_000;

const TEXTS = {
  noSpace:
    'etcd has no space left: changes are refused; raise its quota or compact and defragment its members, then lower the alarm (etcdctl alarm disarm)',
  corrupt: 'the members of etcd do not hold the same data: changes are refused; replace the member that differs',
} as const;

/** What etcd complains of, looked at now and then. */
export class Alarms {
  readonly #api: EtcdApi;
  readonly #clock: Clock;
  #raised: readonly (keyof typeof TEXTS)[] = [];
  #timer: Timer | undefined;
  #looking = false;

  constructor({ api, clock }: { readonly api: EtcdApi; readonly clock: Clock }) {
    this.#api = api;
    this.#clock = clock;
  }

  get problem(): string | undefined {
    return this.#raised.length === 0 ? undefined : this.#raised.map((alarm) => TEXTS[alarm]).join('; ');
  }

  start(): void {
    this.#timer = this.#clock.every(LOOK_MS, () => this.lookSoon(), { unref: true });
    this.lookSoon();
  }

  lookSoon(): void {
    if (this.#looking) return;
    this.#looking = true;
    void this.#look().finally(() => (this.#looking = false));
  }

  close(): void {
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    try {
      this.#raised = await this.#api.alarms({ timeoutMs: CALL_MS });
    } catch {
      // That etcd does not answer is said elsewhere.
    }
  }
}
