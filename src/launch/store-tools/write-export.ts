import { existsSync } from 'node:fs';
import { link, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeDurably } from '../../base/durable-file.ts';
import { CloudError } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { randomHex } from '../../base/random.ts';
import { KEYS } from '../../domain/keys.ts';
import type { CloudRecord } from '../../domain/records.ts';
import type { Replica } from '../../ports/store.ts';
import { countKinds, endLine, headLine, isEngineLocal, recordLine, RecordsDigest } from './export-format.ts';
import type { ExportEnd, ExportHead, ExportRecord } from './export-format.ts';

/** Text that is written at once. */
const PIECE_CHARS = 256 * 1024;

export interface WriteExportOptions {
  readonly engine: string;
  readonly version: string;
  readonly nowMs: number;
  readonly random: Random;
}

/** The records of the cloud as they stand in the store: all of one revision. */
export function recordsOf(store: Pick<Replica, 'range'>): ExportRecord[] {
  const ours = store.range('').filter(({ key }) => !isEngineLocal(key));
  return ours.map(({ key, value }) => ({ key, value }));
}

/**
 * Writes all records of the store into a new file of mode 0600, durably and under its name only when it is whole.
 * CloudError 'AlreadyExists', and 'NotFound' where there is no cloud in the store.
 */
export async function writeExport(
  store: Pick<Replica, 'range' | 'rev'>,
  path: string,
  options: WriteExportOptions,
): Promise<{ head: ExportHead; end: ExportEnd }> {
  const refuse = (): never => {
    throw new CloudError('AlreadyExists', `${path} is there already; name another file`);
  };
  if (existsSync(path)) refuse();
  const records = recordsOf(store);
  const cloud = records.find(({ key }) => key === KEYS.cloud)?.value as unknown as CloudRecord | undefined;
  if (cloud === undefined) throw new CloudError('NotFound', 'there is no cloud in this store');
  const head: ExportHead = {
    kind: 'novactl-store',
    v: 1,
    cloudId: cloud.cloudId,
    engine: options.engine,
    rev: store.rev,
    createdAtMs: options.nowMs,
    version: options.version,
    records: records.length,
    counts: countKinds(records),
  };
  const digest = new RecordsDigest();
  let end: ExportEnd | undefined;
  function* bytes(): Generator<Buffer> {
    let text = headLine(head);
    for (const record of records) {
      const line = recordLine(record);
      digest.add(line);
      text += line;
      if (text.length < PIECE_CHARS) continue;
      yield Buffer.from(text);
      text = '';
    }
    end = digest.end();
    yield Buffer.from(text + endLine(end));
  }
  await writeDurably(path, bytes(), {
    mode: 0o600,
    tmpPath: join(dirname(path), `.novactl-${randomHex(options.random, 8)}.tmp`),
    // Unlike a rename it does not take the place of a file that has come meanwhile.
    publish: async (tmpPath, name) => {
      await link(tmpPath, name).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'EEXIST') refuse();
        throw error;
      });
      await unlink(tmpPath);
    },
  });
  return { head, end: end ?? digest.end() };
}
