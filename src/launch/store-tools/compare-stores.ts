import type { Store } from '../../ports/store.ts';
import type { Config } from '../config/schema.ts';
import { compareRecords, type Comparison } from './compare-records.ts';
import type { ExportRecord } from './export-format.ts';
import { openStoppedStore, type StoppedStoreOptions } from './open-stopped-store.ts';
import { readExport } from './read-export.ts';
import { recordsOf } from './write-export.ts';

export interface CompareOptions extends Omit<StoppedStoreOptions, 'create'> {
  /** What the configured store is compared with: a file, or the store of another configuration. */
  readonly with: { readonly file: string } | { readonly config: Config };
}

/** The configured store (left) against another place (right). Errors: those of openStoppedStore and readExport. */
export async function compareStores(options: CompareOptions): Promise<Comparison> {
  const { with: other } = options;
  const right =
    'file' in other ? (await readExport(other.file)).records : await recordsIn({ ...options, config: other.config });
  return compareRecords(await recordsIn(options), right);
}

/** One after the other, so that both may be in one folder. */
async function recordsIn(options: StoppedStoreOptions): Promise<ExportRecord[]> {
  const store: Store = await openStoppedStore(options);
  try {
    return recordsOf(store);
  } finally {
    await store.close();
  }
}
