import { isDeepStrictEqual } from 'node:util';
import type { Json } from '../../../base/json.ts';
import type { EtcdApi, EtcdKeyValue } from './etcd-api.ts';
import { CALL_MS, isCompacted } from './etcd-patience.ts';
import type { KeySpace } from './key-space.ts';
import type { Witness } from './origin.ts';

export interface KnownHistory {
  readonly api: EtcdApi;
  readonly keys: KeySpace;
  readonly clusterId: string | undefined;
  /** The last revision that was applied; 0: nothing is known. */
  readonly rev: number;
  readonly witness: Witness | undefined;
}

export interface HistoryCheck {
  readonly clusterId: string;
  readonly rev: number;
  /** Why it is another history; undefined: it goes on where the known one ended. */
  readonly reason: string | undefined;
}

/**
 * Whether etcd still has the history that was followed. A cluster that was restored from a backup may have the same id and soon a higher revision,
 * so a key that was seen is looked at again at the revision at which it was seen. Errors: 'Unavailable'.
 */
export async function checkHistory({ api, keys, clusterId, rev, witness }: KnownHistory): Promise<HistoryCheck> {
  const { header } = await api.range({ key: keys.nothing }, { timeoutMs: CALL_MS });
  const found = { clusterId: header.clusterId, rev: header.revision };
  if (clusterId !== undefined && header.clusterId !== clusterId) {
    return { ...found, reason: `its cluster is ${header.clusterId}, and was ${clusterId}` };
  }
  if (header.revision < rev) {
    return { ...found, reason: `its revision is ${header.revision}, and was at least ${rev}` };
  }
  if (witness === undefined) return { ...found, reason: undefined };
  return { ...found, reason: await contradiction(api, witness) };
}

async function contradiction(api: EtcdApi, witness: Witness): Promise<string | undefined> {
  const { etcdKey: key, rev } = witness;
  const text = `it does not have what was written at revision ${rev}`;
  try {
    const { kvs } = await api.range({ key, revision: rev }, { timeoutMs: CALL_MS });
    return kvs[0] !== undefined && isSame(kvs[0], witness) ? undefined : text;
  } catch (error) {
    if (!isCompacted(error)) throw error;
  }
  // That revision is gone, so only the key's present can contradict: it can't be older.
  const { kvs } = await api.range({ key }, { timeoutMs: CALL_MS });
  const now = kvs[0];
  if (now === undefined || now.modRevision > rev) return undefined;
  return isSame(now, witness) ? undefined : text;
}

function isSame(kv: EtcdKeyValue, { rev, value }: Witness): boolean {
  return kv.modRevision === rev && isDeepStrictEqual(parsed(kv.value), value);
}

function parsed(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}
