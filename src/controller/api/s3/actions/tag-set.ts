import { CloudError } from '../../../../base/errors.ts';
import { S3_LIMITS, type Tags } from '../../../../domain/s3/records.ts';
import type { BucketCall } from '../s3-action.ts';
import type { S3Tree } from '../s3-xml.ts';
import { many, node, one, readXml, text } from './xml-request.ts';

const ALLOWED = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const KEY_MAX = 128;
const VALUE_MAX = 256;

const refused = (why: string): CloudError => new CloudError('InvalidTag', why);

/** 'InvalidTag' by S3's rules, saying which tag. */
export function tagsOf(pairs: readonly (readonly [string, string])[], max: number = S3_LIMITS.tagsPerObject): Tags {
  if (pairs.length > max) throw refused(`there are ${pairs.length} tags: ${max} are allowed`);
  const tags = new Map<string, string>();
  for (const [key, value] of pairs) {
    const shown = JSON.stringify(key.slice(0, 60));
    if (key === '' || [...key].length > KEY_MAX)
      throw refused(`the tag ${shown}: a key has 1 to ${KEY_MAX} characters`);
    if ([...value].length > VALUE_MAX) throw refused(`the tag ${shown}: a value has at most ${VALUE_MAX} characters`);
    if (!ALLOWED.test(key) || !ALLOWED.test(value))
      throw refused(`the tag ${shown}: letters, digits, spaces and _ . : / = + - @ are allowed`);
    if (/^aws:/i.test(key)) throw refused(`the tag ${shown}: aws: begins no tag of yours`);
    if (tags.has(key)) throw refused(`the tag ${shown} is there twice`);
    tags.set(key, value);
  }
  return Object.fromEntries(tags);
}

const plain = (coded: string): string => {
  try {
    return decodeURIComponent(coded.replaceAll('+', ' '));
  } catch {
    throw new CloudError('InvalidArgument', 'x-amz-tagging: is not encoded as the query of a URL is');
  }
};

/** `x-amz-tagging`: `key=value&key=value`, as in a query. */
export function tagsOfHeader(header: string | undefined): Tags {
  if (header === undefined || header === '') return {};
  return tagsOf(
    header.split('&').map((pair) => {
      const [key = '', ...value] = pair.split('=');
      return [plain(key), plain(value.join('='))] as const;
    }),
  );
}

/** Of a new object: who writes tags needs the right to. */
export async function tagsAsked(call: BucketCall): Promise<Tags> {
  const tags = tagsOfHeader(call.header('x-amz-tagging'));
  if (Object.keys(tags).length > 0) await call.require('s3:PutObjectTagging', call.bucket, call.key);
  return tags;
}

const TAG = node({ Key: one(text), Value: one(text) });
const TAGGING = node({ TagSet: one(node({ Tag: many(TAG, 1000) })) });
const MAX_BYTES = 128 * 1024;

export function tagsOfDocument(body: string, max: number): Tags {
  const { TagSet } = readXml(body, 'Tagging', TAGGING, MAX_BYTES);
  return tagsOf(
    TagSet.Tag.map(({ Key, Value }) => [Key, Value]),
    max,
  );
}

export async function tagsOfBody(call: BucketCall, max: number): Promise<Tags> {
  return tagsOfDocument(await call.body.text(MAX_BYTES), max);
}

export function tagSetTree(tags: Tags): S3Tree {
  return { TagSet: { Tag: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) } };
}
