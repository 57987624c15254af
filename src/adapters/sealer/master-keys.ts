import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { writeDurably } from '../../base/durable-file.ts';
import { CloudError, errnoOf, errorText } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import { randomHex } from '../../base/random.ts';
import type { MasterKeyState } from '../../ports/sealer.ts';

export const KEY_BYTES = 32;

/** The content of a key file: the sealing key alone on the first line, then lines `next KEY` and `old KEY`; keys in base64. */
export interface KeyRing {
  readonly current: Buffer;
  readonly next?: Buffer | undefined;
  readonly old: readonly Buffer[];
}

export function renderRing({ current, next, old }: KeyRing): string {
  const lines = [
    current.toString('base64'),
    ...(next === undefined ? [] : [`next ${next.toString('base64')}`]),
    ...old.map((key) => `old ${key.toString('base64')}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** Undefined: it is no key file. */
export function parseRing(text: string): KeyRing | undefined {
  const [first = '', ...rest] = text.trim().split('\n');
  const current = keyIn(first);
  const others = rest.map((line) => /^(next|old) (.*)$/.exec(line.trim()));
  const keys = others.map((match) => ({ role: match?.[1], key: keyIn(match?.[2] ?? '') }));
  const next = keys.filter(({ role }) => role === 'next').map(({ key }) => key);
  const old = keys.filter(({ role }) => role === 'old').flatMap(({ key }) => (key === undefined ? [] : [key]));
  if (current === undefined || keys.some(({ key }) => key === undefined) || next.length > 1) return undefined;
  return { current, next: next[0], old };
}

function keyIn(text: string): Buffer | undefined {
  const key = Buffer.from(text.trim(), 'base64');
  return key.length === KEY_BYTES ? key : undefined;
}

/** Undefined: there is no such file. Errors: 'CorruptState'. */
export function readRing(path: string): KeyRing | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new CloudError('CorruptState', `${path}: can't be read: ${errorText(error)}`, { cause: error });
  }
  const ring = parseRing(text);
  if (ring !== undefined) return ring;
  throw new CloudError('CorruptState', `${path}: must hold 32 bytes in base64; put it back from a backup`);
}

/** The old file or the new one, whatever happens meanwhile; 0600. */
export function writeRing(path: string, ring: KeyRing, random: Random): Promise<void> {
  const tmpPath = `${path}.${randomHex(random, 8)}`;
  return writeDurably(path, [Buffer.from(renderRing(ring), 'latin1')], { mode: 0o600, tmpPath });
}

const idOf = (key: Buffer): string => createHash('sha256').update(key).digest('hex').slice(0, 16);

export function ringState({ current, next, old }: KeyRing): MasterKeyState {
  return { current: idOf(current), ...(next === undefined ? {} : { next: idOf(next) }), old: old.map(idOf) };
}

/** What the file is to hold after each step; the same ring when there is nothing to do. */
export const RING_STEPS = {
  prepare: (ring: KeyRing, random: Random): KeyRing =>
    ring.next === undefined ? { ...ring, next: random.bytes(KEY_BYTES) } : ring,
  promote: (ring: KeyRing): KeyRing =>
    ring.next === undefined ? ring : { current: ring.next, old: [ring.current, ...ring.old] },
  forget: (ring: KeyRing): KeyRing => (ring.old.length === 0 ? ring : { ...ring, old: [] }),
} as const;
