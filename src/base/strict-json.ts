import { CloudError } from './errors.ts';
import type { Json } from './json.ts';

/** Deeper than any record or message of ours; a cycle ends here too. */
const MAX_DEPTH = 64;

/** What JSON can't carry, and where below the value. Paths are put together only for those: most values have none. */
interface Refusal {
  readonly path: string;
  readonly what: string;
}

const here = (what: string): Refusal => ({ path: '', what });
const below = (at: string, { path, what }: Refusal): Refusal => ({ path: at + path, what });

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function refusalOf(value: unknown, depth: number): Refusal | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined;
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : here(String(value));
  if (typeof value !== 'object') return here(typeof value);
  if (depth > MAX_DEPTH) return here(`nested more than ${MAX_DEPTH} levels deep or in a circle`);
  if (Array.isArray(value)) return refusalIn(value, depth + 1);
  if (!isPlain(value)) return here(`a ${value.constructor.name}`);
  for (const key in value) {
    const item: unknown = (value as Record<string, unknown>)[key];
    const refusal = item === undefined ? undefined : refusalOf(item, depth + 1);
    if (refusal !== undefined) return below(`.${key}`, refusal);
  }
  return undefined;
}

function refusalIn(list: readonly unknown[], depth: number): Refusal | undefined {
  for (let i = 0; i < list.length; i += 1) {
    const refusal = refusalOf(list[i], depth);
    if (refusal !== undefined) return below(`[${i}]`, refusal);
  }
  return undefined;
}

/**
 * JSON text that gives back what went in. JSON.stringify turns a Date into text, a Map into {} and NaN into null without a word; this
 * throws CloudError 'InvalidParameterValue' naming the place. Only undefined properties are left out, as the Json type says.
 */
export function strictJson(value: Json, name = 'value'): string {
  const refusal = refusalOf(value, 0);
  if (refusal === undefined) return JSON.stringify(value);
  const path = name + refusal.path;
  throw new CloudError('InvalidParameterValue', `${path} is ${refusal.what}, which JSON cannot carry`, {
    details: { path },
  });
}
