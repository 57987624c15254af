import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SECRET_PLACES } from '../../adapters/archive/file-archives.ts';
import { refuseImporting } from '../../controller/state/importing.ts';
import type { Store } from '../../ports/store.ts';
import type { Config } from '../config/schema.ts';
import { blobsDir, secretsDir } from '../config/places.ts';
import type { ExportEnd, ExportHead } from './export-format.ts';
import { openStoppedStore, type StoppedStoreOptions } from './open-stopped-store.ts';
import { openOfflineCopy } from './offline-copy.ts';
import { writeExport } from './write-export.ts';

export interface ExportOptions extends Omit<StoppedStoreOptions, 'create'> {
  /** The file to write. */
  readonly path: string;
  readonly version: string;
  /** From the copy that this machine keeps, without asking the store. */
  readonly offline: boolean;
}

export interface Exported {
  readonly head: ExportHead;
  readonly end: ExportEnd;
  /** What belongs to the cloud and is not among the records: places on this machine that exist. */
  readonly alsoCopy: readonly { readonly what: string; readonly path: string }[];
}

/** Writes the records of the cloud into a file. Errors: those of openStoppedStore and writeExport. */
export async function exportStore(options: ExportOptions): Promise<Exported> {
  const { path, version, clock, random, offline, config } = options;
  const store: Store = offline ? await openOfflineCopy(options) : await openStoppedStore(options);
  try {
    refuseImporting(store);
    const engine = offline ? `${config.store.engine} (offline copy)` : config.store.engine;
    const written = await writeExport(store, path, { engine, version, random, nowMs: clock.nowMs() });
    return { ...written, alsoCopy: alsoCopy(config) };
  } finally {
    await store.close();
  }
}

function alsoCopy(config: Config): Exported['alsoCopy'] {
  const secrets = SECRET_PLACES.map((name) => ({
    what: 'keys that the cloud made',
    path: join(secretsDir(config), name),
  }));
  const all = [...secrets, { what: 'bytes of images', path: blobsDir(config) }];
  return all.filter(({ path }) => existsSync(path));
}
