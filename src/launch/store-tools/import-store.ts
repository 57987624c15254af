import { importRecords, type Imported } from './import-records.ts';
import type { ExportHead } from './export-format.ts';
import { openStoppedStore, type StoppedStoreOptions } from './open-stopped-store.ts';
import { readExport } from './read-export.ts';

export interface ImportStoreOptions extends Omit<StoppedStoreOptions, 'create'> {
  readonly path: string;
  readonly onProgress?: (done: number, of: number) => void;
}

/** Fills the empty configured store from an export, which is read to its end first. Errors: those of readExport, openStoppedStore and importRecords. */
export async function importStore(options: ImportStoreOptions): Promise<Imported & { readonly head: ExportHead }> {
  const { path, clock, onProgress } = options;
  const source = await readExport(path);
  const store = await openStoppedStore({ ...options, create: true });
  try {
    const how = { path, nowMs: clock.nowMs(), ...(onProgress === undefined ? {} : { onProgress }) };
    return { ...(await importRecords(store, source, how)), head: source.head };
  } finally {
    await store.close();
  }
}
