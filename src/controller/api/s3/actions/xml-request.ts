import { z } from 'zod';
import { CloudError, isCode } from '../../../../base/errors.ts';
import { parseXml, type XmlElement, type XmlLimits } from '../../../../base/xml.ts';
import type { S3Call } from '../s3-action.ts';

/** A leaf is its text; anything else the list of what it has of each name. */
type Value = string | Record<string, Value[]>;

function valueOf(element: XmlElement): Value {
  if (element.children.length === 0) return element.text;
  const values = new Map<string, Value[]>();
  for (const child of element.children) {
    const name = child.name.replace(/^.*:/, '');
    const known = values.get(name);
    if (known === undefined) values.set(name, [valueOf(child)]);
    else known.push(valueOf(child));
  }
  return Object.fromEntries(values);
}

/** An element with these children and no others; an empty one has none of them. */
export const node = <S extends z.core.$ZodLooseShape>(shape: S) =>
  z.preprocess((value) => (typeof value === 'string' && value.trim() === '' ? {} : value), z.strictObject(shape));

/** Exactly one. */
export const one = <T extends z.ZodType>(schema: T) =>
  z
    .array(schema)
    .length(1)
    .transform(([value]) => value as z.output<T>);

/** At most one. */
export const maybe = <T extends z.ZodType>(schema: T) => one(schema).optional();

export function many<T extends z.ZodType>(schema: T, max: number): z.ZodDefault<z.ZodArray<T>> {
  return z.array(schema).max(max).default([]);
}

export const text = z.string();
/** White space around it is layout. */
export const word = z.string().trim();
export const whole = z
  .string()
  .trim()
  .regex(/^\d{1,15}$/, 'must be a whole number')
  .transform(Number);
export const yesNo = z
  .string()
  .trim()
  .regex(/^(true|false)$/i, 'must be true or false')
  .transform((value) => value.toLowerCase() === 'true');

const malformed = (why: string): CloudError => new CloudError('MalformedXML', why);

/** A list to delete has 12,000. A stranger may send documents, too. */
const MAX_TAGS = 50_000;

function parsed(body: string, limits: XmlLimits): XmlElement {
  try {
    return parseXml(body, limits);
  } catch (error) {
    if (isCode(error, 'MalformedRequest')) throw malformed(error.message);
    throw error;
  }
}

/** A document that is given as text. 'MalformedXML', naming the element. */
export function readXml<T extends z.ZodType>(
  body: string,
  name: string,
  schema: T,
  maxBytes: number,
  maxTags = MAX_TAGS,
): z.output<T> {
  const root = parsed(body, { maxBytes, maxTags });
  const found = root.name.replace(/^.*:/, '');
  if (found !== name) throw malformed(`the document is ${found.slice(0, 60)}, and ${name} is needed`);
  const result = schema.safeParse(valueOf(root));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const path = [name, ...(issue?.path ?? []).filter((part) => typeof part === 'string')].join('.');
  throw malformed(`${path}: ${issue?.message ?? 'is wrong'}`);
}

/** The request's document. */
export async function xmlBody<T extends z.ZodType>(
  call: S3Call,
  name: string,
  schema: T,
  maxBytes = 64 * 1024,
  maxTags = MAX_TAGS,
): Promise<z.output<T>> {
  return readXml(await call.body.text(maxBytes), name, schema, maxBytes, maxTags);
}
