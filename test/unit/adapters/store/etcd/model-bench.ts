import {
  type EtcdStore,
  type EtcdStoreOptions,
  openEtcdStore,
} from '../../../../../src/adapters/store/etcd/etcd-store.ts';
import type { Logger } from '../../../../../src/base/logger.ts';
import { SeededRandom } from '../../../../../src/base/random.ts';
import type { Change, Store } from '../../../../../src/ports/store.ts';
import { EtcdModel, type EtcdModelOptions } from '../../../../support/etcd-model.ts';
import { ManualClock } from '../../../../support/manual-clock.ts';
import { CountedFiles } from './counted-files.ts';

export const PREFIX = 'novactl/';

/** A model of etcd and stores on it, under a clock that stands still: what happens when is up to the test. */
export class ModelBench {
  readonly clock = new ManualClock();
  readonly disk = new CountedFiles();
  readonly model: EtcdModel;
  /** Errors and warnings of all stores. */
  readonly said: string[] = [];
  readonly #logger: Logger;
  #opened = 0;
  readonly #stores: EtcdStore[] = [];

  constructor(options: Partial<EtcdModelOptions> = {}) {
    this.model = new EtcdModel({ clock: this.clock, ...options });
    const note = (message: string): void => void this.said.push(message);
    const quiet = (): void => undefined;
    this.#logger = { debug: quiet, info: quiet, warn: note, error: note, child: () => this.#logger };
  }

  async open(name: string, options: Partial<EtcdStoreOptions> = {}): Promise<EtcdStore> {
    this.#opened += 1;
    const parts = { clock: this.clock, random: new SeededRandom(this.#opened), logger: this.#logger };
    const opening = openEtcdStore({
      ...parts,
      prefix: PREFIX,
      api: this.model.client(name),
      files: this.disk.files,
      ...options,
    });
    const store = await this.through(opening);
    this.#stores.push(store);
    return store;
  }

  /** Lets time pass until it is settled. */
  async through<T>(work: Promise<T>, atMostMs = 60_000): Promise<T> {
    let settled = false;
    const over = (): void => void (settled = true);
    work.then(over, over);
    for (let ms = 0; !settled && ms < atMostMs; ms += 20) await this.pass(20);
    if (!settled) throw new Error(`not settled in ${atMostMs} ms`);
    return work;
  }

  /** Time goes on, and stands while the disk works. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 20) {
      await this.disk.quiet();
      await this.clock.advance(20);
    }
    await this.disk.quiet();
  }

  /** Straight to etcd, past every line and clock. */
  write(key: string, value: unknown): number {
    const op = { kind: 'put' as const, key: `${PREFIX}d/${key}`, value: JSON.stringify(value) };
    const answer = this.model.state.txn({ compare: [], success: [op], failure: [] });
    this.model.committed();
    return answer.header.revision;
  }

  remove(key: string): void {
    this.model.state.txn({ compare: [], success: [{ kind: 'delete', key: `${PREFIX}d/${key}` }], failure: [] });
    this.model.committed();
  }

  async close(): Promise<void> {
    this.model.quorum = true;
    for (const store of this.#stores) await this.through(store.close());
  }
}

/** What a watcher is told, as text: key, value. */
export function told(store: Store): string[] {
  const seen: string[] = [];
  store.watch('', store.rev + 1, ({ ops }: Change) => {
    for (const { key, value } of ops) seen.push(`${key} ${value === undefined ? 'gone' : JSON.stringify(value)}`);
  });
  return seen;
}
