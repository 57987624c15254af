import { createHmac, createSecretKey, hash, type KeyObject } from 'node:crypto';

/** What a signing key is good for. */
export interface Scope {
  /** UTC, as YYYYMMDD. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
}

/** Some hundred bytes each. */
const KEPT = 4096;

const step = (key: string | KeyObject, text: string): KeyObject =>
  createSecretKey(createHmac('sha256', key).update(text, 'utf8').digest());

/** AWS, "Derive a signing key". Keys are KeyObjects: given as bytes, node takes five times as long over one. */
function derived(secret: string, { date, region, service }: Scope): KeyObject {
  return step(step(step(step(`AWS4${secret}`, date), region), service), 'aws4_request');
}

/**
 * Derives signing keys, and remembers the last `kept` of them: a client signs a whole day by one. They follow from secret and scope alone, so that
 * there is nothing to forget when a key is disabled or rotated: whoever asks has the secret of now. No secret is kept as text.
 */
export function signingKeys(kept = KEPT): (secret: string, scope: Scope) => KeyObject {
  const known = new Map<string, KeyObject>();
  return (secret, scope) => {
    const { date, region, service } = scope;
    const name = hash('sha256', JSON.stringify([secret, date, region, service]), 'base64');
    const found = known.get(name);
    if (found !== undefined) return found;
    const made = derived(secret, scope);
    const oldest = known.size >= kept ? known.keys().next() : undefined;
    if (oldest?.done === false) known.delete(oldest.value);
    known.set(name, made);
    return made;
  };
}
