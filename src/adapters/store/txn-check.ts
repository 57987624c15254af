import { CloudError } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { strictJson } from '../../base/strict-json.ts';
import { type Guard, type Put, STORE_LIMITS, type Txn } from '../../ports/store.ts';

/** Tokens are ids of ours; longer ones are a mistake. */
const TOKEN_CHARS = 256;

function refuse(message: string, details: Record<string, unknown>): never {
  throw new CloudError('InvalidParameterValue', message, { details });
}

function checkKey(key: string): void {
  if (typeof key !== 'string' || key === '') refuse('a store key must be a string that is not empty', { key });
  // A UTF-16 unit is three bytes of UTF-8 at most, so that most keys need not be measured.
  if (key.length * 3 > STORE_LIMITS.keyBytes && Buffer.byteLength(key) > STORE_LIMITS.keyBytes) {
    refuse(`a store key may have ${STORE_LIMITS.keyBytes} bytes; this one has ${Buffer.byteLength(key)}`, {
      key: key.slice(0, 80),
    });
  }
  if (!key.isWellFormed()) refuse('a store key must be well-formed UTF-16 (it has half a surrogate pair)', { key });
}

function checkGuard(guard: Guard): void {
  checkKey(guard.key);
  if ('rev' in guard && !(Number.isSafeInteger(guard.rev) && guard.rev >= 1)) {
    refuse('a guard compares with a revision of 1 or more; for a key that is not there use {absent: true}', {
      key: guard.key,
      rev: guard.rev,
    });
  }
}

function checkPut({ key, lease }: Put): void {
  checkKey(key);
  if (lease !== undefined && !key.startsWith(STORE_LIMITS.leasedPrefix)) {
    refuse(`only keys under ${STORE_LIMITS.leasedPrefix} may go with a lease`, { key });
  }
}

function checkToken(token: string | undefined): void {
  if (token !== undefined && (token === '' || token.length > TOKEN_CHARS)) {
    refuse(`a transaction token has 1 to ${TOKEN_CHARS} characters`, { length: token.length });
  }
}

function checkDistinct(puts: readonly Put[], dels: readonly string[]): void {
  const writes = puts.length + dels.length;
  if (writes < 2) return;
  const seen = new Set<string>(dels);
  for (const put of puts) seen.add(put.key);
  if (seen.size !== writes) refuse('a transaction may write each key once', { writes, keys: seen.size });
}

/** Throws InvalidParameterValue when the transaction breaks a limit of the port; the same in every engine. */
export function checkTxn({ token, guards = [], puts = [], dels = [] }: Txn): void {
  checkToken(token);
  const writes = puts.length + dels.length;
  if (writes > STORE_LIMITS.opsPerTxn || guards.length > STORE_LIMITS.opsPerTxn) {
    refuse(
      `a transaction may hold ${STORE_LIMITS.opsPerTxn} writes and as many guards; this one has ${writes} and ${guards.length}: split it`,
      { writes, guards: guards.length },
    );
  }
  for (const guard of guards) checkGuard(guard);
  for (const put of puts) checkPut(put);
  for (const key of dels) checkKey(key);
  checkDistinct(puts, dels);
}

/** The value as JSON text, at most STORE_LIMITS.valueBytes long. */
export function encodeValue(key: string, value: Json): string {
  const text = strictJson(value, `the value of ${key}`);
  const bytes = text.length * 3 <= STORE_LIMITS.valueBytes ? 0 : Buffer.byteLength(text);
  if (bytes > STORE_LIMITS.valueBytes) {
    refuse(`a stored value may have ${STORE_LIMITS.valueBytes} bytes as JSON; that of ${key} has ${bytes}`, {
      key,
      bytes,
    });
  }
  return text;
}

/** The values of a transaction as JSON texts, in their order; all limits of the port are checked. */
export function encodePuts({ guards = [], puts = [], dels = [] }: Txn): string[] {
  const texts = puts.map(({ key, value }) => encodeValue(key, value));
  const keys = [...guards, ...puts].map(({ key }) => key).concat(dels);
  const all = [...texts, ...keys];
  const chars = all.reduce((total, text) => total + text.length, 0);
  // As for keys: few transactions need be measured.
  const sum = chars * 3 <= STORE_LIMITS.txnBytes ? 0 : all.reduce((total, text) => total + Buffer.byteLength(text), 0);
  if (sum > STORE_LIMITS.txnBytes) {
    refuse(`a transaction may hold ${STORE_LIMITS.txnBytes} bytes of keys and values; this one has ${sum}: split it`, {
      bytes: sum,
    });
  }
  return texts;
}

/** Frozen to the last leaf: what the replica hands out is shared by every reader. */
export function deepFreeze<T>(value: T): T {
  if (value === null || typeof value !== 'object') return value;
  for (const item of Object.values(value)) deepFreeze(item);
  return Object.freeze(value);
}

/** The value as every later reader will see it, also after a restart: through JSON and frozen. */
export function decodeValue(text: string): Json {
  return deepFreeze(JSON.parse(text) as Json);
}
