import type { Store } from '../../ports/store.ts';
import { checkRecords } from '../../domain/check-records.ts';
import { KEYS } from '../../domain/keys.ts';
import type { CloudRecord } from '../../domain/records.ts';
import { digestOf, type ExportRecord } from './export-format.ts';
import { openOfflineCopy } from './offline-copy.ts';
import { openStoppedStore, type StoppedStoreOptions } from './open-stopped-store.ts';
import { readExport } from './read-export.ts';
import { serverProblems } from './server-problems.ts';
import { recordsOf } from './write-export.ts';

export interface Verified {
  /** What was read: a file, or the engine. */
  readonly source: string;
  readonly cloudId: string;
  readonly rev: number;
  readonly records: number;
  /** The same for equal records, wherever they are. */
  readonly sha256: string;
  /** What does not add up, each as a sentence. */
  readonly problems: readonly string[];
}

/** Reads an export to its end and looks whether its records agree. CloudError 'CorruptState' where a byte is not as it was written. */
export async function verifyExport(path: string): Promise<Verified> {
  const { head, end, records } = await readExport(path);
  return { ...summary(path, records, head.rev), sha256: end.sha256, problems: checkRecords(records) };
}

/** Reads the configured store, or this machine's copy of it, and looks whether its records agree. Changes nothing. Errors: those of openStoppedStore. */
export async function verifyStore(
  options: Omit<StoppedStoreOptions, 'create'> & { readonly offline: boolean },
): Promise<Verified> {
  const { config, offline } = options;
  const store: Store = offline ? await openOfflineCopy(options) : await openStoppedStore(options);
  try {
    const records = recordsOf(store);
    const problems = checkRecords(records);
    const health = store.health();
    if (!health.ok) problems.push(`the store can't commit: ${health.problem ?? 'nobody knows why'}`);
    if (store.get(KEYS.importing) !== undefined)
      problems.push('an import was cut off: run it again with the same file');
    if (store.get(KEYS.held) !== undefined) problems.push('the store was restored and waits for novactl state adopt');
    if (!offline && config.store.engine === 'etcd') problems.push(...(await serverProblems(options)));
    const source = offline ? `${config.store.engine} (offline copy)` : config.store.engine;
    return { ...summary(source, records, store.rev), problems };
  } finally {
    await store.close();
  }
}

function summary(source: string, records: readonly ExportRecord[], rev: number): Omit<Verified, 'problems'> {
  const cloud = records.find(({ key }) => key === KEYS.cloud)?.value as unknown as CloudRecord | undefined;
  const { sha256 } = digestOf(records);
  return { source, cloudId: cloud?.cloudId ?? 'none', rev, records: records.length, sha256 };
}
