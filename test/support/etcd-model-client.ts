import { CloudError } from '../../src/base/errors.ts';
import type { Clock } from '../../src/base/clock.ts';
import type {
  CallOptions,
  EtcdApi,
  EtcdHeader,
  EtcdRange,
  EtcdRangeAnswer,
  EtcdTxn,
  EtcdTxnAnswer,
  EtcdWatch,
  EtcdWatchListener,
} from '../../src/adapters/store/etcd/etcd-api.ts';
import type { CallName, EtcdModel } from './etcd-model.ts';
import { ModelWatch } from './etcd-model-watch.ts';

function unknown(message: string): CloudError {
  return new CloudError('Unavailable', message);
}

/** EtcdApi over a model: each call is a request on its way, an effect at one moment, and an answer on its way, any of which may fail. */
export class EtcdModelClient implements EtcdApi {
  readonly #model: EtcdModel;
  readonly #name: string;
  readonly #clock: Clock;
  readonly #watches = new Set<ModelWatch>();
  #closed = false;

  constructor(model: EtcdModel, name: string, clock: Clock) {
    this.#model = model;
    this.#name = name;
    this.#clock = clock;
  }

  range(request: EtcdRange, options: CallOptions): Promise<EtcdRangeAnswer> {
    return this.#call('range', request, options, () => this.#model.state.range(request));
  }

  txn(request: EtcdTxn, options: CallOptions): Promise<EtcdTxnAnswer> {
    return this.#call('txn', request, options, () => this.#model.state.txn(request));
  }

  watch(request: EtcdWatch, listener: EtcdWatchListener): { close(): void } {
    const watch = new ModelWatch(this.#model, { name: this.#name, clock: this.#clock }, request, listener);
    this.#watches.add(watch);
    return {
      close: () => {
        watch.close();
        this.#watches.delete(watch);
      },
    };
  }

  leaseGrant(ttlS: number, options: CallOptions): Promise<{ id: string; ttlS: number; header: EtcdHeader }> {
    return this.#call('leaseGrant', ttlS, options, () => {
      const lease = this.#model.state.grant(ttlS);
      this.#model.renew(lease.id);
      return { id: lease.id, ttlS: lease.ttlS, header: this.#model.state.header };
    });
  }

  leaseKeepAlive(id: string, options: CallOptions): Promise<{ ttlS: number }> {
    return this.#call('leaseKeepAlive', id, options, () => ({ ttlS: this.#model.renew(id) }));
  }

  async leaseRevoke(id: string, options: CallOptions): Promise<void> {
    await this.#call('leaseRevoke', id, options, () => this.#model.endLease(id));
  }

  alarms(options: CallOptions): Promise<readonly ('noSpace' | 'corrupt')[]> {
    return this.#call('alarms', undefined, options, () => (this.#model.state.noSpace ? ['noSpace' as const] : []));
  }

  close(): void {
    this.#closed = true;
    for (const watch of this.#watches) watch.end('the client was closed');
  }

  #call<T>(name: CallName, request: unknown, { timeoutMs }: CallOptions, effect: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(unknown('the client is closed'));
    const latency = (): number => this.#model.options.latencyMs?.() ?? 0;
    return new Promise((resolve, reject) => {
      const deadline = this.#clock.after(timeoutMs, () => reject(unknown(`${name}: no answer in ${timeoutMs} ms`)));
      // Over the client's own clock: a process that has died gets none.
      const answer = (settle: () => void): void => {
        this.#clock.after(latency(), () => {
          if (!this.#model.reaches(this.#name)) return;
          deadline.cancel();
          settle();
        });
      };
      const arrive = (): void => {
        if (!this.#model.reaches(this.#name) || !this.#model.quorum) return;
        this.#effect(effect, answer, resolve, reject);
      };
      this.#model.clock.after(latency(), () => {
        const fault = this.#model.faults({ client: this.#name, name, request });
        if (fault === undefined) arrive();
        else if (fault.kind === 'delay') this.#model.clock.after(fault.ms, arrive);
        else {
          if (fault.kind === 'lostAnswer') this.#effect(effect, () => undefined, resolve, reject);
          if (fault.kind === 'lateEffect') {
            this.#model.clock.after(fault.ms, () => this.#effect(effect, () => undefined, resolve, reject));
          }
          answer(() => reject(unknown(`${name}: the connection was cut`)));
        }
      });
    });
  }

  #effect<T>(
    effect: () => T,
    answer: (settle: () => void) => void,
    resolve: (value: T) => void,
    reject: (error: unknown) => void,
  ): void {
    try {
      const value = effect();
      answer(() => resolve(value));
    } catch (error) {
      answer(() => reject(error as Error));
    }
    this.#model.committed();
  }
}
