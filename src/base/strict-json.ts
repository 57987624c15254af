import { CloudError } from './errors.ts';
import type { Json } from './json.ts';

/** Deeper than any record or message of ours; a cycle ends here too. */
const MAX_DEPTH = 64;

function refuse(path: string, what: string): never {
  throw new CloudError('InvalidParameterValue', `${path} is ${what}, which JSON cannot carry`, { details: { path } });
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function check(value: unknown, path: string, depth: number): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) refuse(path, String(value));
    return;
  }
  if (typeof value !== 'object') refuse(path, typeof value);
  if (depth > MAX_DEPTH) refuse(path, `nested more than ${MAX_DEPTH} levels deep or in a circle`);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i += 1) check(value[i], `${path}[${i}]`, depth + 1);
    return;
  }
  if (!isPlain(value)) refuse(path, `a ${value.constructor.name}`);
  for (const key in value) {
    const item: unknown = (value as Record<string, unknown>)[key];
    if (item !== undefined) check(item, `${path}.${key}`, depth + 1);
  }
}

/**
 * JSON text that gives back what went in. JSON.stringify turns a Date into text, a Map into {} and NaN into null without a word; this
 * throws CloudError 'InvalidParameterValue' naming the place. Only undefined properties are left out, as the Json type says.
 */
export function strictJson(value: Json, name = 'value'): string {
  check(value, name, 0);
  return JSON.stringify(value);
}
