import type { ControllerContext } from '../../controller/controller-context.ts';
import { PREFIX } from '../../domain/keys.ts';
import { type UnfinishedInstance, unfinishedWork } from './unfinished.ts';

export interface SettleOptions {
  /** Operations that this process was asked for. */
  readonly operationIds: ReadonlySet<string>;
  readonly timeoutMs: number;
  /** Aborted: leave. */
  readonly signal: AbortSignal;
  /** True: there is something else to do first. */
  readonly interrupted: () => boolean;
  /** Told now and then what is waited for. */
  readonly onProgress: (left: readonly UnfinishedInstance[]) => void;
}

/** How the wait ended, and what of our own is still to be done. */
export interface Settled {
  readonly end: 'settled' | 'timeout' | 'aborted' | 'called' | 'no-host';
  readonly own: readonly UnfinishedInstance[];
}

/** So often it is looked whether hosts have answered meanwhile, which no record says. */
const TICK_MS = 250;
/** Work on a host that does not answer is left to a later command after this time. */
const NO_HOST_MS = 30_000;
/** A host that was just opened may take so long to answer before the work of others there is left to others. */
const FIRST_ANSWER_MS = 5_000;
/** Work of commands that died is given so much of our time. */
const OTHERS_MS = 60_000;

/** The first that holds, in the order in which they are written. */
function endOf(holds: Readonly<Record<Settled['end'], boolean>>): Settled['end'] | undefined {
  return (Object.keys(holds) as Settled['end'][]).find((end) => holds[end]);
}

/** Resolves when the instances of the operations have come to rest, or when it is no use to wait longer. */
export async function settle(context: ControllerContext, options: SettleOptions): Promise<Settled> {
  const { store, clock, maintenance } = context;
  const { operationIds, timeoutMs, signal, interrupted, onProgress } = options;
  const startMs = clock.monotonicMs();
  let answeredMs = startMs;
  let wake = (): void => undefined;
  const watch = store.watch(PREFIX.instance, store.rev + 1, () => wake());
  signal.addEventListener('abort', () => wake(), { once: true });
  try {
    for (;;) {
      const nowMs = clock.monotonicMs();
      const { own, others } = unfinishedWork(context, operationIds);
      const spentMs = nowMs - startMs;
      const mayAnswer = ({ hostProblem, silent }: UnfinishedInstance): boolean =>
        hostProblem === undefined || (silent && spentMs < FIRST_ANSWER_MS);
      const help = spentMs < OTHERS_MS ? others.filter(mayAnswer) : [];
      if (own.length === 0 || own.some((item) => item.hostProblem === undefined)) answeredMs = nowMs;
      const end = endOf({
        settled: own.length === 0 && help.length === 0 && !maintenance.isBusy,
        aborted: signal.aborted,
        called: interrupted(),
        timeout: spentMs >= timeoutMs && !maintenance.isBusy,
        'no-host': nowMs - answeredMs >= NO_HOST_MS && !maintenance.isBusy,
      });
      // Work of others that does not end is not ours to complain of.
      if (end !== undefined) return { end: end === 'timeout' && own.length === 0 ? 'settled' : end, own };
      onProgress([...own, ...help]);
      const changed = new Promise<void>((resolve) => (wake = resolve));
      const nap = new AbortController();
      await Promise.race([changed, clock.sleep(TICK_MS, nap.signal).catch(() => undefined)]);
      nap.abort();
    }
  } finally {
    watch.close();
  }
}
