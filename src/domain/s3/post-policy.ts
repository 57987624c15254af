import { z } from 'zod';
import { CloudError } from '../../base/errors.ts';

/**
 * The policy of a form (POST upload): what its fields must be and how large the file may be, signed by who lets others upload (S3 API reference, "Creating an HTML
 * form", POST policy).
 */
const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const range = z.tuple([
  z.string().regex(/^content-length-range$/i),
  z.coerce.number().int().min(0),
  z.coerce.number().int().min(0),
]);
const match = z.tuple([z.string().regex(/^(eq|starts-with)$/i), z.string().startsWith('$'), scalar]);
const exact = z.record(z.string(), scalar).refine((one) => Object.keys(one).length === 1, 'names one field');
const document = z.object({ expiration: z.string(), conditions: z.array(z.union([range, match, exact])).max(1000) });

interface Condition {
  readonly field: string;
  readonly value: string;
  readonly begins: boolean;
}

export interface PostPolicy {
  readonly expiresMs: number;
  readonly conditions: readonly Condition[];
  readonly minBytes: number;
  readonly maxBytes: number;
}

const invalid = (why: string): CloudError => new CloudError('InvalidPolicyDocument', `the policy of the form: ${why}`);
const denied = (why: string): CloudError => new CloudError('AccessDenied', `the policy of the form: ${why}`);

type Raw = z.output<typeof document>['conditions'][number];

const isRange = (raw: Raw): raw is [string, number, number] => Array.isArray(raw) && typeof raw[1] === 'number';

function conditionOf(raw: Exclude<Raw, [string, number, number]>): Condition {
  if (Array.isArray(raw)) {
    const [operator, field, value] = raw as [string, string, string];
    return { field: field.slice(1).toLowerCase(), value, begins: operator.toLowerCase() === 'starts-with' };
  }
  const [[field, value] = ['', '']] = Object.entries(raw);
  return { field: field.toLowerCase(), value, begins: false };
}

/** 'InvalidPolicyDocument'. `text` is as it came, in base64. */
export function parsePostPolicy(text: string): PostPolicy {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(text, 'base64').toString());
  } catch {
    throw invalid('it is not JSON in base64');
  }
  const parsed = document.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalid(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is wrong'}`);
  }
  const { expiration, conditions } = parsed.data;
  const expiresMs = Date.parse(expiration);
  if (Number.isNaN(expiresMs)) throw invalid('expiration: is no time as 2026-01-31T12:00:00Z');
  const ranges = conditions.filter(isRange);
  return {
    expiresMs,
    conditions: conditions.flatMap((raw) => (isRange(raw) ? [] : [conditionOf(raw)])),
    minBytes: Math.max(0, ...ranges.map(([, min]) => min)),
    maxBytes: Math.min(Infinity, ...ranges.map(([, , max]) => max)),
  };
}

/** Fields that the signature is made of, or that are not looked at. */
const FREE = new Set(['policy', 'signature', 'x-amz-signature', 'awsaccesskeyid', 'file']);

/** 'AccessDenied', saying which condition does not hold. `fields` by lower-case name, with the bucket's as `bucket`. */
export function checkPostPolicy(
  { expiresMs, conditions }: PostPolicy,
  fields: ReadonlyMap<string, string>,
  nowMs: number,
): void {
  if (nowMs >= expiresMs) throw denied('it has expired: ask for a new form');
  for (const { field, value, begins } of conditions) {
    const given = fields.get(field) ?? '';
    if (begins ? given.startsWith(value) : given === value) continue;
    throw denied(`the field ${field} must ${begins ? 'begin with' : 'be'} ${JSON.stringify(value.slice(0, 100))}`);
  }
  const named = new Set(conditions.map(({ field }) => field));
  for (const field of fields.keys()) {
    if (field === 'bucket' || FREE.has(field) || field.startsWith('x-ignore-') || named.has(field)) continue;
    throw denied(`it says nothing of the field ${field.slice(0, 100)}: each needs a condition`);
  }
}
