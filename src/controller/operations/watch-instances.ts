import type { InstanceRecord, InstanceState } from '../../domain/instance.ts';
import { INSTANCE_TRANSITIONS } from '../../domain/instance.ts';
import { PREFIX } from '../../domain/keys.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { Replica } from '../../ports/store.ts';
import type { InstanceView } from '../instances/instance-view.ts';
import { viewOf } from './describe-instances.ts';
import type { StreamHandler } from './handler.ts';
import { instanceOf } from './instance-lookup.ts';
import { KEYS } from '../../domain/keys.ts';

type Item = OperationOutput<'WatchInstances'>;

export const watchInstances: StreamHandler<'WatchInstances'> = async function* (context, input, signal) {
  const { store } = context.cloud;
  const ids = [...new Set(input.InstanceIds)];
  for (const id of ids) instanceOf((key) => store.get<InstanceRecord>(key)?.value, context.principal, id);
  const keys = new Set(ids.map((id) => KEYS.instance(id)));
  const changes = new ChangeQueue(store, PREFIX.instance, signal, (key) => keys.has(key));
  try {
    const sent = new Map<string, number>();
    for (let first = true; first || (await changes.next()); first = false) {
      const views: (InstanceView | undefined)[] = [];
      for (const id of ids) {
        const view = viewOf(context, id);
        views.push(view);
        if (view === undefined && sent.get(id) !== -1) {
          sent.set(id, -1);
          yield { kind: 'gone', instanceId: id };
        } else if (view !== undefined && sent.get(id) !== view.rev) {
          sent.set(id, view.rev);
          yield { kind: 'instance', instance: view };
        }
      }
      const end = verdict(ids, views, input.Until, (id) => store.get<InstanceRecord>(KEYS.instance(id))?.value);
      if (end !== undefined) {
        yield end;
        return;
      }
    }
  } finally {
    changes.close();
  }
};

/** Done when all are there; unreachable as soon as one can't get there any more by itself. */
function verdict(
  ids: readonly string[],
  views: readonly (InstanceView | undefined)[],
  until: readonly InstanceState[] | undefined,
  record: (id: string) => InstanceRecord | undefined,
): Item | undefined {
  if (until === undefined) return undefined;
  for (const [index, view] of views.entries()) {
    const instanceId = ids[index] ?? '';
    if (view === undefined) {
      if (!until.includes('terminated')) return { kind: 'unreachable', instanceId, reason: 'its record is gone' };
    } else if (!until.includes(view.state) && !headsFor(record(instanceId), until)) {
      const why = view.stateReason === undefined ? '' : `: ${view.stateReason.message}`;
      return { kind: 'unreachable', instanceId, reason: `it is ${view.state}${why}` };
    }
  }
  const there = views.every((view) => view === undefined || until.includes(view.state));
  return there ? { kind: 'done', instances: views.filter((view) => view !== undefined) } : undefined;
}

/** On its way to what it shall become, the instance passes only states that lead there. */
function headsFor(record: InstanceRecord | undefined, until: readonly InstanceState[]): boolean {
  if (record === undefined) return false;
  const settled = record.state === record.desired && record.work === undefined;
  if (settled) return false;
  if (until.includes(record.desired)) return true;
  return INSTANCE_TRANSITIONS[record.state].some((next) => until.includes(next) && next !== 'shutting-down');
}

/** Wakes for every committed change of a wanted key under a prefix; what is read then is the replica itself. */
export class ChangeQueue {
  readonly #watch: { close(): void };
  readonly #signal: AbortSignal;
  readonly #poke = (): void => {
    this.#dirty = true;
    this.#wake?.();
  };
  #dirty = false;
  #wake: (() => void) | undefined;

  constructor(replica: Replica, prefix: string, signal: AbortSignal, wanted: (key: string) => boolean = () => true) {
    this.#signal = signal;
    this.#watch = replica.watch(prefix, replica.rev + 1, ({ ops }) => {
      if (ops.some(({ key }) => wanted(key))) this.#poke();
    });
    signal.addEventListener('abort', this.#poke, { once: true });
  }

  /** True at the next change, false when the signal ended it. */
  async next(): Promise<boolean> {
    if (!this.#dirty && !this.#signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    this.#dirty = false;
    return !this.#signal.aborted;
  }

  close(): void {
    this.#watch.close();
    this.#signal.removeEventListener('abort', this.#poke);
  }
}
