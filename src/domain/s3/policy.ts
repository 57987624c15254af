import { z } from 'zod';
import { CloudError } from '../../base/errors.ts';

/**
 * The subset of bucket policies that is kept and obeyed. What is beyond it is refused when the policy is put: a condition that nobody checks would let in
 * whom it was to keep out.
 */
const text = z.string().min(1).max(2048);
const texts = z.union([text, z.array(text).min(1)]);
const principal = z.union([z.literal('*'), z.strictObject({ AWS: texts })]);

/** Operators of conditions: the test of one value of the request against one of the policy's. */
const OPERATORS: Readonly<Record<string, (value: string, wanted: string) => boolean>> = {
  StringEquals: (value, wanted) => value === wanted,
  StringNotEquals: (value, wanted) => value !== wanted,
  StringLike: (value, wanted) => matchesPattern(value, wanted),
  StringNotLike: (value, wanted) => !matchesPattern(value, wanted),
  Bool: (value, wanted) => value === wanted.toLowerCase(),
  IpAddress: (value, wanted) => isInRange(value, wanted),
  NotIpAddress: (value, wanted) => !isInRange(value, wanted),
};
/** Operators that say what must not be: all of the policy's values must hold, not one of them. */
const NEGATED = new Set(['StringNotEquals', 'StringNotLike', 'NotIpAddress']);
export const CONDITION_KEYS = [
  'aws:SourceIp',
  'aws:SecureTransport',
  's3:prefix',
  's3:delimiter',
  's3:x-amz-acl',
] as const;
export type ConditionKey = (typeof CONDITION_KEYS)[number];

const value = z.union([z.string(), z.boolean()]);
const statement = z.strictObject({
  Sid: z.string().max(256).optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Principal: principal,
  Action: texts,
  Resource: texts,
  Condition: z.record(z.string(), z.record(z.string(), z.union([value, z.array(value).min(1)]))).optional(),
});
const document = z.strictObject({
  Version: z.enum(['2008-10-17', '2012-10-17']).optional(),
  Id: z.string().max(256).optional(),
  Statement: z.union([statement, z.array(statement).min(1)]),
});

interface Statement {
  readonly effect: 'Allow' | 'Deny';
  /** '*' is everybody; others are account ids or project names. */
  readonly principals: readonly string[];
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions: readonly {
    readonly operator: string;
    readonly key: string;
    readonly values: readonly string[];
  }[];
}

export interface Policy {
  readonly statements: readonly Statement[];
}

export interface PolicyQuestion {
  readonly action: string;
  /** `bucket` or `bucket/key`. */
  readonly resource: string;
  /** What the caller is called in policies: project id and account id; empty for nobody that signed. */
  readonly callers: readonly string[];
  readonly context: Partial<Readonly<Record<ConditionKey, string>>>;
}

/** `*` any text, `?` any one character; without backtracking over more than the last star. */
export function matchesPattern(text: string, pattern: string): boolean {
  let at = 0;
  let star = -1;
  let from = 0;
  for (let index = 0; index < text.length;) {
    if (at < pattern.length && (pattern[at] === '?' || (pattern[at] === text[index] && pattern[at] !== '*'))) {
      at += 1;
      index += 1;
    } else if (pattern[at] === '*') {
      star = at;
      from = index;
      at += 1;
    } else if (star >= 0) {
      from += 1;
      index = from;
      at = star + 1;
    } else return false;
  }
  while (pattern[at] === '*') at += 1;
  return at === pattern.length;
}

const listOf = <T>(given: T | T[]): T[] => (Array.isArray(given) ? given : [given]);

const partsOf = (address: string): number | undefined => {
  const parts = address.replace(/^::ffff:/, '').split('.');
  if (parts.length !== 4 || !parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256)) return undefined;
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
};

function isInRange(address: string, range: string): boolean {
  const [base = '', bits = '32'] = range.split('/');
  const [a, b, size] = [partsOf(address), partsOf(base), Number(bits)];
  if (a === undefined || b === undefined || !Number.isInteger(size) || size < 0 || size > 32) return false;
  const width = 2 ** (32 - size);
  return Math.floor(a / width) === Math.floor(b / width);
}

const malformed = (text: string): CloudError => new CloudError('MalformedPolicy', text);

const isAddressRange = (text: string): boolean => {
  const [base = '', bits = '32', ...more] = text.split('/');
  return partsOf(base) !== undefined && /^\d{1,2}$/.test(bits) && Number(bits) <= 32 && more.length === 0;
};
/** What the values of an operator must be; a value that nothing can equal would make a Deny that denies nothing. */
const VALUES: Readonly<
  Record<string, { readonly key?: ConditionKey; readonly is: (value: string) => boolean; readonly what: string }>
> = {
  Bool: { is: (text) => /^(true|false)$/i.test(text), what: 'true or false' },
  IpAddress: { key: 'aws:SourceIp', is: isAddressRange, what: 'an IPv4 address or network, as 10.0.0.0/8' },
  NotIpAddress: { key: 'aws:SourceIp', is: isAddressRange, what: 'an IPv4 address or network, as 10.0.0.0/8' },
};

function checkCondition(operator: string, key: ConditionKey, values: readonly string[]): void {
  const rule = VALUES[operator];
  if (rule === undefined) return;
  if (rule.key !== undefined && rule.key !== key) throw malformed(`the condition ${operator} is for ${rule.key} alone`);
  const wrong = values.find((one) => !rule.is(one));
  if (wrong === undefined) return;
  throw malformed(`the condition ${operator} of ${key}: ${JSON.stringify(wrong.slice(0, 100))} is not ${rule.what}`);
}

/** Since that version a policy can name what it is asked about; before it `${` is text. */
const WITH_VARIABLES = '2012-10-17';

function checkVariables({ Resource, Condition = {} }: z.output<typeof statement>): void {
  const conditions = Object.values(Condition).flatMap((keys) =>
    Object.values(keys).flatMap((values) => listOf(values)),
  );
  const found = [...listOf(Resource), ...conditions].find((one) => String(one).includes('${'));
  if (found === undefined) return;
  throw malformed(
    `${JSON.stringify(String(found).slice(0, 100))}: variables are not known here: write what they stand for`,
  );
}

function principalOf(text: string): string {
  if (text === '*' || /^[A-Za-z0-9][A-Za-z0-9._@-]*$/.test(text)) return text;
  const account = /^arn:aws:iam::([A-Za-z0-9._@-]+):root$/.exec(text)?.[1];
  if (account !== undefined) return account;
  throw malformed(
    `the principal ${JSON.stringify(text.slice(0, 100))} is not known: write "*", an account id, a project or arn:aws:iam::ACCOUNT:root`,
  );
}

function statementOf(raw: z.output<typeof statement>, bucket: string): Statement {
  const actions = listOf(raw.Action);
  for (const action of actions) {
    if (!/^(\*|s3:[A-Za-z*?]+)$/.test(action))
      throw malformed(`the action ${JSON.stringify(action.slice(0, 100))} is none of S3`);
  }
  const resources = listOf(raw.Resource).map((text) => {
    const path = /^arn:aws:s3:::(.+)$/.exec(text)?.[1];
    const owner = path?.split('/')[0] ?? '';
    if (path === undefined || !matchesPattern(bucket, owner)) {
      throw malformed(
        `the resource ${JSON.stringify(text.slice(0, 100))} is not of the bucket: arn:aws:s3:::${bucket} or arn:aws:s3:::${bucket}/KEY`,
      );
    }
    return path;
  });
  const conditions = Object.entries(raw.Condition ?? {}).flatMap(([operator, keys]) => {
    if (!Object.hasOwn(OPERATORS, operator))
      throw malformed(`the condition ${operator} is not known here: ${Object.keys(OPERATORS).join(', ')}`);
    return Object.entries(keys).map(([key, values]) => {
      const known = CONDITION_KEYS.find((name) => name.toLowerCase() === key.toLowerCase());
      if (known === undefined)
        throw malformed(`the condition key ${key} is not known here: ${CONDITION_KEYS.join(', ')}`);
      const texts = listOf(values).map(String);
      checkCondition(operator, known, texts);
      return { operator, key: known, values: texts };
    });
  });
  const principals = raw.Principal === '*' ? ['*'] : listOf(raw.Principal.AWS).map((text) => principalOf(text));
  return { effect: raw.Effect, principals, actions, resources, conditions };
}

/** 'MalformedPolicy', naming what is wrong or beyond what is known here. */
export function parsePolicy(text: string, bucket: string): Policy {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw malformed('the policy is not JSON');
  }
  const parsed = document.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw malformed(`the policy's ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'is wrong'}`);
  }
  const statements = listOf(parsed.data.Statement);
  if (parsed.data.Version === WITH_VARIABLES) for (const raw of statements) checkVariables(raw);
  return { statements: statements.map((raw) => statementOf(raw, bucket)) };
}

function holds(
  { operator, key, values }: Statement['conditions'][number],
  context: PolicyQuestion['context'],
): boolean {
  const value = context[key as ConditionKey];
  const test = OPERATORS[operator];
  if (test === undefined) return false;
  // What the request does not have is not what it must not be.
  if (value === undefined) return NEGATED.has(operator);
  return NEGATED.has(operator)
    ? values.every((wanted) => test(value, wanted))
    : values.some((wanted) => test(value, wanted));
}

const applies = (one: Statement, { action, resource, callers, context }: PolicyQuestion): boolean =>
  one.principals.some((name) => name === '*' || callers.includes(name)) &&
  one.actions.some((pattern) => matchesPattern(action.toLowerCase(), pattern.toLowerCase())) &&
  one.resources.some((pattern) => matchesPattern(resource, pattern)) &&
  one.conditions.every((condition) => holds(condition, context));

/** 'deny' goes before 'allow'; 'none': the policy says nothing. */
export function policySays(policy: Policy, question: PolicyQuestion): 'allow' | 'deny' | 'none' {
  const effects = policy.statements.filter((one) => applies(one, question)).map(({ effect }) => effect);
  if (effects.includes('Deny')) return 'deny';
  return effects.includes('Allow') ? 'allow' : 'none';
}

const isNarrow = (range: string): boolean => Number(range.split('/')[1] ?? '32') >= 8;

/** Whether the policy lets in everybody from everywhere: an address in its conditions is what makes it not public. */
export function isPublicPolicy({ statements }: Policy): boolean {
  return statements.some(
    ({ effect, principals, conditions }) =>
      effect === 'Allow' &&
      principals.includes('*') &&
      !conditions.some(
        ({ operator, key, values }) => operator === 'IpAddress' && key === 'aws:SourceIp' && values.every(isNarrow),
      ),
  );
}
