import type { Json } from '../../../base/json.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Entry, Replica } from '../../../ports/store.ts';
import { decodeValue } from '../txn-check.ts';
import type { EtcdApi, EtcdKeyValue } from './etcd-api.ts';
import { patiently, type TimeAndChance } from './etcd-patience.ts';
import type { KeySpace } from './key-space.ts';

const PAGE = 2_000;

export interface Listing {
  /** All records as of one revision. Those that the replica has the same already are its very objects. */
  readonly entries: ReadonlyMap<string, Entry>;
  readonly rev: number;
  readonly clusterId: string;
}

export interface ListOptions extends TimeAndChance {
  readonly api: EtcdApi;
  readonly keys: KeySpace;
  readonly replica: Replica;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/** All records, page by page at the first page's revision. Errors: 'Unavailable', also when that revision is compacted meanwhile (list again). */
export async function listRecords(options: ListOptions): Promise<Listing> {
  const { api, keys, logger, replica, signal } = options;
  const entries = new Map<string, Entry>();
  let cursor = keys.records.key;
  let header: { revision: number; clusterId: string } | undefined;
  for (;;) {
    const at = header === undefined ? {} : { revision: header.revision };
    const request = { key: cursor, rangeEnd: keys.records.rangeEnd, limit: PAGE, ...at };
    const page = await patiently(options, (timeoutMs) => api.range(request, { timeoutMs }), signal);
    header ??= page.header;
    for (const kv of page.kvs) {
      const key = keys.recordKey(kv.key);
      const entry = key === undefined ? undefined : entryOf(key, kv, replica, logger);
      if (entry !== undefined) entries.set(entry.key, entry);
    }
    const last = page.kvs.at(-1);
    if (!page.more || last === undefined) return { entries, rev: header.revision, clusterId: header.clusterId };
    cursor = `${last.key}\0`;
  }
}

function entryOf(key: string, kv: EtcdKeyValue, replica: Replica, logger: Logger): Entry | undefined {
  const known = replica.get(key);
  if (known?.rev === kv.modRevision && JSON.stringify(known.value) === kv.value) return known;
  const value = readValue(kv, logger);
  return value === undefined ? undefined : { key, value, rev: kv.modRevision };
}

/** What is not JSON was not written by novactl: it is told of, and taken as absent. */
export function readValue(kv: EtcdKeyValue, logger: Logger): Json | undefined {
  try {
    return decodeValue(kv.value);
  } catch {
    logger.error('a key in etcd does not hold JSON; novactl did not write it and does not see it', { key: kv.key });
    return undefined;
  }
}
