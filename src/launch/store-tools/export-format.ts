import { createHash, type Hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Json } from '../../base/json.ts';
import { canonicalJson } from '../../base/json.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import { STORE_LIMITS } from '../../ports/store.ts';

/**
 * An export is lines of JSON, each in canonical form: a head, a line for each record in the order of keys, an end. Whatever byte is changed, lost or
 * doubled is found: a record's line by its CRC-32, the records as a whole by the end's count and SHA-256, head and end by being exactly what
 * their content is written as.
 */
export interface ExportHead {
  readonly kind: 'novactl-store';
  readonly v: 1;
  readonly cloudId: string;
  readonly engine: string;
  /** Of the store that it was read from; it means nothing to another. */
  readonly rev: number;
  readonly createdAtMs: number;
  readonly version: string;
  readonly records: number;
  /** Records of each kind: the first word of their keys. */
  readonly counts: Readonly<Record<string, number>>;
}

export interface ExportEnd {
  readonly kind: 'end';
  readonly records: number;
  /** Of the lines of records, line ends included. */
  readonly sha256: string;
}

export interface ExportRecord {
  readonly key: string;
  readonly value: Json;
}

/** What belongs to the engine and to processes that live, not to the cloud. */
export function isEngineLocal(key: string): boolean {
  return key.startsWith(STORE_LIMITS.leasedPrefix) || key.startsWith(PREFIX.own) || key === KEYS.importing;
}

export function recordLine({ key, value }: ExportRecord): string {
  const text = canonicalJson([key, value]);
  return `{"crc":${crc32(text)},"record":${text}}\n`;
}

/** With a check of its own in front. */
export function headLine(head: ExportHead): string {
  const text = canonicalJson(head);
  return `{"crc":${crc32(text)},"head":${text}}\n`;
}

export function endLine(end: ExportEnd): string {
  return `${canonicalJson(end)}\n`;
}

export function countKinds(records: readonly { readonly key: string }[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { key } of records) {
    const kind = key.split('/', 1)[0] ?? key;
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

/** The digest that an export of these records has. */
export class RecordsDigest {
  readonly #hash: Hash = createHash('sha256');
  #records = 0;

  add(line: string): void {
    this.#hash.update(line);
    this.#records += 1;
  }

  end(): ExportEnd {
    return { kind: 'end', records: this.#records, sha256: this.#hash.digest('hex') };
  }
}

export function digestOf(records: Iterable<ExportRecord>): ExportEnd {
  const digest = new RecordsDigest();
  for (const record of records) digest.add(recordLine(record));
  return digest.end();
}
