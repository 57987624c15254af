import type { ListAsked } from '../../ports/object-store.ts';
import { keyBytes, keyText } from './version-rows.ts';

/** Behind every key: UTF-8 has no such byte. */
const BEHIND_ALL = Buffer.from([0xff]);

/** The first key behind all that begin with the bytes. UTF-8 never ends with 0xff, so that the last byte can be raised. */
export function behindPrefix(prefix: Buffer): Buffer {
  if (prefix.length === 0) return BEHIND_ALL;
  const behind = Buffer.from(prefix);
  behind[behind.length - 1] = (behind.at(-1) ?? 0) + 1;
  return behind;
}

/** The first key behind this one. */
export function behindKey(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])]);
}

export function later(a: Buffer, b: Buffer): Buffer {
  return Buffer.compare(a, b) >= 0 ? a : b;
}

export interface KeyRow {
  readonly key: Uint8Array;
}

/** What a list found: a row, or a prefix that stands for all that begin with it. */
export type Found<R> = { readonly row: R } | { readonly commonPrefix: string };

export interface KeyRange {
  /** Inclusive. */
  readonly from: Buffer;
  /** Exclusive. */
  readonly to: Buffer;
}

/** Where a list begins and ends. `after` that is or begins with a common prefix has answered all of that prefix. */
export function rangeOf(asked: ListAsked, afterIsAnswered = true): KeyRange {
  const prefix = keyBytes(asked.prefix);
  const to = behindPrefix(prefix);
  if (asked.after === '') return { from: prefix, to };
  const common = commonPrefixOf(asked.after, asked);
  if (common !== undefined) return { from: behindPrefix(keyBytes(common)), to };
  const after = keyBytes(asked.after);
  return { from: later(prefix, afterIsAnswered ? behindKey(after) : after), to };
}

function commonPrefixOf(
  key: string,
  { prefix, delimiter }: Pick<ListAsked, 'prefix' | 'delimiter'>,
): string | undefined {
  if (delimiter === '' || !key.startsWith(prefix)) return undefined;
  const at = key.indexOf(delimiter, prefix.length);
  return at < 0 ? undefined : key.slice(0, at + delimiter.length);
}

/**
 * Rows in order; what a common prefix stands for is skipped by a new seek behind it, so that the cost goes with what is found and not with what there is.
 * `seek` answers rows in the order of their keys, lazily.
 */
export function* foundKeys<R extends KeyRow>(
  asked: ListAsked,
  range: KeyRange,
  seek: (range: KeyRange) => Iterable<R>,
): Generator<Found<R>> {
  let from: Buffer | undefined = range.from;
  while (from !== undefined && Buffer.compare(from, range.to) < 0) {
    const begin: Buffer = from;
    from = undefined;
    for (const row of seek({ from: begin, to: range.to })) {
      const commonPrefix = asked.delimiter === '' ? undefined : commonPrefixOf(keyText(row.key), asked);
      if (commonPrefix === undefined) {
        yield { row };
        continue;
      }
      from = behindPrefix(keyBytes(commonPrefix));
      yield { commonPrefix };
      break;
    }
  }
}

export interface Page<R> {
  readonly rows: R[];
  readonly commonPrefixes: string[];
  /** There is more behind it. */
  readonly last?: Found<R>;
}

/** The first `max` of what is found. */
export function takePage<R>(found: Iterable<Found<R>>, max: number): Page<R> {
  const rows: R[] = [];
  const commonPrefixes: string[] = [];
  if (max <= 0) return { rows, commonPrefixes };
  let last: Found<R> | undefined;
  for (const one of found) {
    if (last !== undefined && rows.length + commonPrefixes.length === max) return { rows, commonPrefixes, last };
    if ('row' in one) rows.push(one.row);
    else commonPrefixes.push(one.commonPrefix);
    last = one;
  }
  return { rows, commonPrefixes };
}

/** The key or common prefix to go on behind. */
export function nextOf<R extends KeyRow>(last: Found<R>): string {
  return 'row' in last ? keyText(last.row.key) : last.commonPrefix;
}
