import { CloudError } from '../../base/errors.ts';

/** A control key as `^]` or `^A`: its byte. */
export function controlKey(flag: string, text: string): number {
  const [, letter = ''] = /^\^([@-_a-z])$/.exec(text) ?? [];
  if (letter === '') {
    throw new CloudError('InvalidParameterValue', `${flag} must be ^ and one of A-Z [ \\ ] ^ _ @, not "${text}"`);
  }
  return letter.toUpperCase().charCodeAt(0) & 0x1f;
}

/** As people say it: `ctrl-]`. */
export const controlKeyName = (byte: number): string => `ctrl-${String.fromCharCode(byte | 0x40).toLowerCase()}`;

export interface ConsoleKeys {
  readonly detach: number;
  /** Undefined: none. */
  readonly size: number | undefined;
}

export type Typed =
  { readonly kind: 'text'; readonly bytes: Buffer } | { readonly kind: 'detach' } | { readonly kind: 'size' };

/** What was typed, cut at the keys that are ours. Nothing behind `detach` is kept. */
export function splitTyped(chunk: Buffer, keys: ConsoleKeys): Typed[] {
  const typed: Typed[] = [];
  let from = 0;
  for (let at = 0; at <= chunk.length; at += 1) {
    const byte = chunk[at];
    const isKey = byte === keys.detach || (byte !== undefined && byte === keys.size);
    if (byte !== undefined && !isKey) continue;
    if (at > from) typed.push({ kind: 'text', bytes: chunk.subarray(from, at) });
    from = at + 1;
    if (byte === keys.detach) return [...typed, { kind: 'detach' }];
    if (isKey) typed.push({ kind: 'size' });
  }
  return typed;
}
