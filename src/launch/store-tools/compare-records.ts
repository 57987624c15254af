import { canonicalJson } from '../../base/json.ts';
import type { ExportRecord } from './export-format.ts';

export interface Comparison {
  readonly equal: boolean;
  /** Records on the left and on the right. */
  readonly left: number;
  readonly right: number;
  /** Keys with another value on the right. */
  readonly differ: readonly string[];
  /** Keys that only the left has, and only the right. */
  readonly missing: readonly string[];
  readonly extra: readonly string[];
}

/** Both in the order of keys. */
export function compareRecords(left: readonly ExportRecord[], right: readonly ExportRecord[]): Comparison {
  const differ: string[] = [];
  const missing: string[] = [];
  const extra: string[] = [];
  let at = 0;
  for (const record of left) {
    for (; at < right.length && (right[at]?.key ?? '') < record.key; at += 1) extra.push(right[at]?.key ?? '');
    const other = right[at];
    if (other?.key !== record.key) missing.push(record.key);
    else {
      if (canonicalJson(other.value) !== canonicalJson(record.value)) differ.push(record.key);
      at += 1;
    }
  }
  extra.push(...right.slice(at).map(({ key }) => key));
  const equal = differ.length + missing.length + extra.length === 0;
  return { equal, left: left.length, right: right.length, differ, missing, extra };
}
