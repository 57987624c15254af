import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { MasterKeys, Sealer } from '../../ports/sealer.ts';
import type { Store } from '../../ports/store.ts';
import { transact } from '../state/draft.ts';

/** Where sealed text is: the records, and its field in them. Whatever seals has a row here, or a rotation would lose it. */
const SEALED: readonly { readonly prefix: string; readonly field: string }[] = [
  { prefix: KEYS.sealCheck, field: 'sealed' },
  { prefix: PREFIX.accessKey, field: 'sealedSecret' },
  { prefix: KEYS.bundlingKey, field: 'sealedKey' },
];

type Fields = Readonly<Record<string, unknown>>;

interface Place {
  readonly key: string;
  readonly field: string;
}

function notCurrent(store: Pick<Store, 'range'>, masterKeys: MasterKeys): Place[] {
  return SEALED.flatMap(({ prefix, field }) =>
    store
      .range<Fields>(prefix)
      .filter(({ key, value }) => !masterKeys.isCurrent(String(value[field]), key))
      .map(({ key }) => ({ key, field })),
  );
}

/**
 * Seals anew what is not sealed by the sealing key of now, each record in a guarded transaction of its own; again until there is none, since others may have
 * sealed meanwhile. Answers how many. Safe to be cut short anywhere: every key still opens.
 */
export async function resealAll(
  store: Store,
  sealer: Pick<Sealer, 'seal' | 'unseal'>,
  masterKeys: MasterKeys,
): Promise<number> {
  let count = 0;
  for (;;) {
    await store.barrier();
    const left = notCurrent(store, masterKeys);
    if (left.length === 0) return count;
    for (const { key, field } of left) {
      await transact(store, (draft) => {
        const record = draft.get<Fields>(key);
        if (record === undefined || masterKeys.isCurrent(String(record[field]), key)) return;
        draft.put(key, { ...record, [field]: sealer.seal(sealer.unseal(String(record[field]), key), key) });
      });
      count += 1;
    }
  }
}

/** Secrets that only an old key, or the next one, opens. */
export async function countNotCurrent(store: Store, masterKeys: MasterKeys): Promise<number> {
  await store.barrier();
  return notCurrent(store, masterKeys).length;
}
