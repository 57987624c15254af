import { CloudError } from '../../../base/errors.ts';
import type { ErrorCode } from '../../../base/error-codes.ts';
import type { Params } from './params.ts';

interface IdRow {
  readonly prefix: RegExp;
  readonly like: string;
  readonly malformed: ErrorCode;
  readonly notFound: ErrorCode;
}

const ROWS = {
  instance: {
    prefix: /^i-/,
    like: 'i-0123456789abcdef0',
    malformed: 'InvalidInstanceID.Malformed',
    notFound: 'InvalidInstanceID.NotFound',
  },
  image: {
    prefix: /^(ami|aki|ari)-/,
    like: 'ami-0123456789abcdef0',
    malformed: 'InvalidAMIID.Malformed',
    notFound: 'InvalidAMIID.NotFound',
  },
} as const satisfies Record<string, IdRow>;

type Kind = keyof typeof ROWS;

/** The text as an id of that kind. Errors: EC2's "malformed" of it, and "not found" for an id of EC2's older, shorter form, which nothing here has but images. */
export function wellFormedId(kind: Kind, parameter: string, text: string): string {
  const { prefix, like, malformed, notFound } = ROWS[kind];
  const digits = prefix.test(text) ? text.slice(text.indexOf('-') + 1) : '';
  const details = { details: { parameter } };
  if (!/^([0-9a-f]{8}|[0-9a-f]{17})$/.test(digits)) {
    const said = JSON.stringify(text.slice(0, 64));
    throw new CloudError(malformed, `${parameter}: ${said} is no id of this kind; it must look like ${like}`, details);
  }
  if (kind === 'instance' && digits.length === 8) {
    throw new CloudError(notFound, `${parameter}: there is no instance ${text}`, details);
  }
  return text;
}

/** The ids of a list, well formed; absent: undefined. */
export function idList(params: Params, kind: Kind, name: string): string[] | undefined {
  return params.list(name)?.map((text) => wellFormedId(kind, params.named(name), text));
}

export function needIds(params: Params, kind: Kind, name: string): string[] {
  const ids = idList(params, kind, name) ?? [];
  if (ids.length > 0) return ids;
  throw new CloudError('MissingParameter', `${params.named(`${name}.1`)}: is needed`, {
    details: { parameter: params.named(name) },
  });
}

export function needId(params: Params, kind: Kind, name: string): string {
  return wellFormedId(kind, params.named(name), params.need(name));
}

export function idIf(params: Params, kind: Kind, name: string): string | undefined {
  const text = params.text(name);
  return text === undefined || text === '' ? undefined : wellFormedId(kind, params.named(name), text);
}

/** MaxResults within EC2's own bounds for the action. */
export function refusePage({ MaxResults }: { readonly MaxResults?: number }, min: number, max: number): void {
  if (MaxResults === undefined || (MaxResults >= min && MaxResults <= max)) return;
  throw new CloudError('InvalidParameterValue', `MaxResults: must be ${min} to ${max}, not ${MaxResults}`, {
    details: { parameter: 'MaxResults' },
  });
}
