import { CloudError } from '../../base/errors.ts';
import { canonicalJson, toJson } from '../../base/json.ts';
import { KEYS } from '../../domain/keys.ts';
import type { ImportingRecord } from '../../domain/records.ts';
import type { Put, Store } from '../../ports/store.ts';
import { STORE_LIMITS } from '../../ports/store.ts';
import { countKinds, digestOf, type ExportRecord } from './export-format.ts';
import type { Export } from './read-export.ts';
import { recordsOf } from './write-export.ts';

/** Far below STORE_LIMITS.txnBytes, so that one transaction does not hold the others up for long. */
const TXN_BYTES = 512 * 1024;

export interface ImportOptions {
  readonly nowMs: number;
  /** Names the file in errors. */
  readonly path: string;
  readonly onProgress?: (done: number, of: number) => void;
}

export interface Imported {
  readonly written: number;
  /** Records that an import that was cut off had written. */
  readonly found: number;
  readonly rev: number;
}

/**
 * Writes the records into an empty store, in transactions, and proves it by reading them back. A marker in the store, there from before the first
 * record until after the proof, keeps every cloud off it; an import that was cut off goes on when it is done again.
 * CloudError 'IncorrectState' (the store is not empty), 'Conflict' (somebody writes into it), 'CorruptState' (what was read back differs).
 */
export async function importRecords(store: Store, source: Export, options: ImportOptions): Promise<Imported> {
  const { records, end } = source;
  const marker = await begin(store, source, options);
  const isThere = ({ key, value }: ExportRecord): boolean => {
    const there = store.get(key);
    return there !== undefined && canonicalJson(there.value) === canonicalJson(value);
  };
  const missing = records.filter((record) => !isThere(record));
  let done = records.length - missing.length;
  options.onProgress?.(done, records.length);
  for (const puts of batches(missing)) {
    const answer = await store.txn({ guards: [{ key: KEYS.importing, rev: marker }], puts });
    if (!answer.ok) throw new CloudError('Conflict', `somebody else works on this store; look, then import again`);
    done += puts.length;
    options.onProgress?.(done, records.length);
  }
  await store.barrier();
  const found = digestOf(recordsOf(store));
  if (found.sha256 !== end.sha256 || found.records !== end.records) {
    throw new CloudError(
      'CorruptState',
      `the store holds ${found.records} records that are not the ${end.records} of ${options.path} (see novactl store compare ${options.path}); no cloud will start on it`,
    );
  }
  const last = await store.txn({ guards: [{ key: KEYS.importing, rev: marker }], dels: [KEYS.importing] });
  if (!last.ok) throw new CloudError('Conflict', 'somebody else works on this store; look, then import again');
  return { written: missing.length, found: records.length - missing.length, rev: last.rev };
}

/** The marker's revision. */
async function begin(store: Store, { end }: Export, { nowMs, path }: ImportOptions): Promise<number> {
  await store.barrier();
  const known = store.get<ImportingRecord>(KEYS.importing);
  if (known !== undefined) {
    if (known.value.sha256 === end.sha256) return known.rev;
    const what = `an import of another file (${known.value.records} records, SHA-256 ${known.value.sha256.slice(0, 16)}...)`;
    throw new CloudError('IncorrectState', `${what} was cut off here; import that one again, or empty the store`);
  }
  const there = recordsOf(store);
  if (there.length > 0) {
    const some = Object.entries(countKinds(there)).map(([kind, count]) => `${count} ${kind}`);
    throw new CloudError(
      'IncorrectState',
      `${path} goes into an empty store only; there are ${there.length} records in this one: ${some.slice(0, 6).join(', ')}`,
      { details: { counts: countKinds(there) } },
    );
  }
  const marker: ImportingRecord = { v: 1, sha256: end.sha256, records: end.records, sinceMs: nowMs };
  const guards = [
    { key: KEYS.importing, absent: true },
    { key: KEYS.cloud, absent: true },
  ] as const;
  const answer = await store.txn({ guards, puts: [{ key: KEYS.importing, value: toJson(marker) }] });
  if (!answer.ok) throw new CloudError('Conflict', 'somebody else has just begun to work on this store');
  return answer.rev;
}

function* batches(records: readonly ExportRecord[]): Generator<Put[]> {
  let puts: Put[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = Buffer.byteLength(JSON.stringify(record));
    if (puts.length > 0 && (puts.length >= STORE_LIMITS.opsPerTxn || bytes + size > TXN_BYTES)) {
      yield puts;
      puts = [];
      bytes = 0;
    }
    puts.push(record);
    bytes += size;
  }
  if (puts.length > 0) yield puts;
}
