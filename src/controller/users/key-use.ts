import { toJson } from '../../base/json.ts';
import { type AccessKeyUseRecord, isUseDue, KEY_USE_EVERY_MS } from '../../domain/access-key.ts';
import { KEYS } from '../../domain/keys.ts';
import type { KeyUse } from '../../messages/key-use.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { ControllerContext } from '../controller-context.ts';
import type { Principal } from '../operations/handler.ts';
import { transact } from '../state/draft.ts';

/** Keys whose last word to the controller is remembered. */
const MAX_TOLD = 10_000;

/**
 * The api's half: tells the controller of a key that signed a request, off the request's path, when what is written of it is old. What gets lost is told with
 * one of the next requests.
 */
export class KeyUses {
  readonly #context: Pick<ControllerContext, 'bus' | 'clock' | 'store'>;
  readonly #toldMs = new Map<string, number>();

  constructor(context: Pick<ControllerContext, 'bus' | 'clock' | 'store'>) {
    this.#context = context;
  }

  note({ accessKeyId, from }: Principal): void {
    if (accessKeyId === undefined) return;
    const { bus, clock, store } = this.#context;
    const nowMs = clock.nowMs();
    const toldMs = this.#toldMs.get(accessKeyId);
    if (toldMs !== undefined && Math.abs(nowMs - toldMs) < KEY_USE_EVERY_MS) return;
    this.#toldMs.delete(accessKeyId);
    this.#toldMs.set(accessKeyId, nowMs);
    const [oldest] = this.#toldMs.keys();
    if (this.#toldMs.size > MAX_TOLD && oldest !== undefined) this.#toldMs.delete(oldest);
    if (!isUseDue(store.get<AccessKeyUseRecord>(KEYS.accessKeyUse(accessKeyId))?.value, nowMs)) return;
    const [edge = 'unknown'] = from.split(' ');
    const use: KeyUse = { v: 1, accessKeyId, edge: edge.slice(0, 32), atMs: nowMs };
    void bus.cast(TOPIC.controller, 'key-use', toJson(use)).catch(() => this.#toldMs.delete(accessKeyId));
  }
}

/** The controller's half: of many that tell of one key at once, one is written. */
export async function recordKeyUse({ store }: Pick<ControllerContext, 'store'>, use: KeyUse): Promise<void> {
  const { accessKeyId, edge, atMs } = use;
  await transact(store, (draft) => {
    const key = KEYS.accessKeyUse(accessKeyId);
    // Nothing is left behind of a key that was deleted meanwhile.
    if (draft.get(KEYS.accessKey(accessKeyId)) === undefined) return;
    if (!isUseDue(draft.get<AccessKeyUseRecord>(key), atMs)) return;
    draft.put(key, { v: 1, atMs, edge } satisfies AccessKeyUseRecord);
  });
}
