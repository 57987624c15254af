import { z } from 'zod';
import { CloudError } from '../../../../base/errors.ts';
import { randomHex } from '../../../../base/random.ts';
import type { LifecycleFilter, LifecycleRule } from '../../../../domain/s3/records.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import type { S3Tree } from '../s3-xml.ts';
import { emptyAnswer, isoTime, NO_CONTENT, xmlAnswer } from './answers.ts';
import { invalidArgument, notImplemented } from './asked.ts';
import { change, settingRow } from './bucket-settings.ts';
import { tagsOf } from './tag-set.ts';
import { many, maybe, node, one, text, whole, word, xmlBody, yesNo } from './xml-request.ts';

const DAY_MS = 86_400_000;
const TAG = node({ Key: one(text), Value: one(text) });
const CONDITIONS = {
  Prefix: maybe(text),
  ObjectSizeGreaterThan: maybe(whole),
  ObjectSizeLessThan: maybe(whole),
};
const AND = node({ ...CONDITIONS, Tag: many(TAG, 100) });
const FILTER = node({ ...CONDITIONS, Tag: maybe(TAG), And: maybe(AND) });
const RULE = node({
  ID: maybe(word.max(255)),
  /** As it was before there were filters. */
  Prefix: maybe(text),
  Filter: maybe(FILTER),
  Status: one(z.preprocess((value) => String(value).trim(), z.enum(['Enabled', 'Disabled']))),
  Expiration: maybe(node({ Days: maybe(whole), Date: maybe(word), ExpiredObjectDeleteMarker: maybe(yesNo) })),
  NoncurrentVersionExpiration: maybe(node({ NoncurrentDays: one(whole), NewerNoncurrentVersions: maybe(whole) })),
  AbortIncompleteMultipartUpload: maybe(node({ DaysAfterInitiation: one(whole) })),
  Transition: z.array(z.unknown()).optional(),
  NoncurrentVersionTransition: z.array(z.unknown()).optional(),
});
const LIFECYCLE = node({ Rule: z.array(RULE).min(1).max(1000) });
type RuleAsked = z.output<typeof RULE>;
const MAX_BYTES = 2 * 1024 * 1024;

const malformed = (why: string): CloudError => new CloudError('MalformedXML', why);
const invalid = (why: string): CloudError => new CloudError('InvalidRequest', why);

/** One condition, or several within And; or a prefix as it was before there were filters. */
function conditionsOf({ Filter, Prefix }: RuleAsked): z.output<typeof AND> {
  if (Filter !== undefined && Prefix !== undefined) throw malformed('Rule: has Filter and Prefix: one says it');
  if (Filter === undefined) return { Prefix, Tag: [] };
  if (Object.values(Filter).filter((one) => one !== undefined).length > 1)
    throw malformed('Filter: several conditions stand within And');
  const { Tag, And, ...conditions } = Filter;
  return And ?? { ...conditions, Tag: Tag === undefined ? [] : [Tag] };
}

function filterOf(rule: RuleAsked): LifecycleFilter {
  const { Prefix: prefix, Tag, ObjectSizeGreaterThan: greater, ObjectSizeLessThan: less } = conditionsOf(rule);
  if (greater !== undefined && less !== undefined && greater >= less)
    throw invalid('ObjectSizeGreaterThan: is not below ObjectSizeLessThan: no object is meant');
  return {
    ...(prefix === undefined ? {} : { prefix }),
    ...(Tag.length === 0 ? {} : { tags: tagsOf(Tag.map(({ Key, Value }) => [Key, Value])) }),
    ...(greater === undefined ? {} : { sizeGreaterThanBytes: greater }),
    ...(less === undefined ? {} : { sizeLessThanBytes: less }),
  };
}

function days(name: string, value: number, min = 1): number {
  if (value >= min && value < 2 ** 31) return value;
  throw invalidArgument(name, String(value), `a whole number of days, ${min} or more`);
}

function expirationOf({ Expiration }: RuleAsked): Partial<LifecycleRule> {
  if (Expiration === undefined) return {};
  const { Days, Date: date, ExpiredObjectDeleteMarker: marker } = Expiration;
  const given = [Days, date, marker].filter((one) => one !== undefined);
  if (given.length !== 1) throw malformed('Expiration: has one of Days, Date and ExpiredObjectDeleteMarker');
  if (Days !== undefined) return { expirationDays: days('Days', Days) };
  if (marker !== undefined) return { expiredObjectDeleteMarker: marker };
  const atMs = /^\d{4}-\d\d-\d\d(T|$)/.test(date ?? '') ? Date.parse(date ?? '') : NaN;
  if (Number.isNaN(atMs) || atMs % DAY_MS !== 0) throw invalidArgument('Date', date ?? '', 'a midnight, UTC');
  return { expirationAtMs: atMs };
}

function oldVersionsOf({ NoncurrentVersionExpiration: old }: RuleAsked): Partial<LifecycleRule> {
  if (old === undefined) return {};
  const keep = old.NewerNoncurrentVersions;
  return {
    noncurrentDays: days('NoncurrentDays', old.NoncurrentDays),
    ...(keep === undefined ? {} : { noncurrentKeep: wholeBetween('NewerNoncurrentVersions', keep, 1, 100) }),
  };
}

function wholeBetween(name: string, value: number, min: number, max: number): number {
  if (value >= min && value <= max) return value;
  throw invalidArgument(name, String(value), `a whole number from ${min} to ${max}`);
}

/** What asks for tags or sizes is of objects alone. */
function checkTogether(rule: LifecycleRule): void {
  const { tags, sizeGreaterThanBytes, sizeLessThanBytes } = rule.filter;
  const ofObjects = tags !== undefined || sizeGreaterThanBytes !== undefined || sizeLessThanBytes !== undefined;
  if (ofObjects && rule.abortMultipartDays !== undefined)
    throw invalid('AbortIncompleteMultipartUpload: uploads have neither tags nor a size: filter by prefix');
  if (ofObjects && rule.expiredObjectDeleteMarker === true)
    throw invalid('ExpiredObjectDeleteMarker: markers have neither tags nor a size: filter by prefix');
}

function ruleOf(call: BucketCall, asked: RuleAsked): LifecycleRule {
  if (asked.Transition !== undefined || asked.NoncurrentVersionTransition !== undefined)
    throw notImplemented('Transition: there is one storage class');
  const abort = asked.AbortIncompleteMultipartUpload?.DaysAfterInitiation;
  const actions = {
    ...expirationOf(asked),
    ...oldVersionsOf(asked),
    ...(abort === undefined ? {} : { abortMultipartDays: days('DaysAfterInitiation', abort) }),
  };
  if (Object.keys(actions).length === 0)
    throw invalid('Rule: does nothing: Expiration, NoncurrentVersionExpiration or AbortIncompleteMultipartUpload');
  const rule = {
    id: asked.ID === undefined || asked.ID === '' ? randomHex(call.random, 20) : asked.ID,
    enabled: asked.Status === 'Enabled',
    filter: filterOf(asked),
    ...actions,
  };
  checkTogether(rule);
  return rule;
}

function filterTree({ prefix, tags = {}, sizeGreaterThanBytes, sizeLessThanBytes }: LifecycleFilter): S3Tree {
  const Tag = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
  const conditions = {
    Prefix: prefix,
    Tag,
    ObjectSizeGreaterThan: sizeGreaterThanBytes,
    ObjectSizeLessThan: sizeLessThanBytes,
  };
  const count =
    Tag.length + [prefix, sizeGreaterThanBytes, sizeLessThanBytes].filter((value) => value !== undefined).length;
  if (count === 0) return { Prefix: '' };
  return count === 1 ? conditions : { And: conditions };
}

function ruleTree(rule: LifecycleRule): S3Tree {
  const { expirationDays, expirationAtMs, expiredObjectDeleteMarker, noncurrentDays, abortMultipartDays } = rule;
  const expires = expirationDays ?? expirationAtMs ?? expiredObjectDeleteMarker;
  return {
    ID: rule.id,
    Filter: filterTree(rule.filter),
    Status: rule.enabled ? 'Enabled' : 'Disabled',
    Expiration:
      expires === undefined
        ? undefined
        : {
            Days: expirationDays,
            Date: expirationAtMs === undefined ? undefined : isoTime(expirationAtMs),
            ExpiredObjectDeleteMarker: expiredObjectDeleteMarker,
          },
    NoncurrentVersionExpiration:
      noncurrentDays === undefined
        ? undefined
        : { NoncurrentDays: noncurrentDays, NewerNoncurrentVersions: rule.noncurrentKeep },
    AbortIncompleteMultipartUpload:
      abortMultipartDays === undefined ? undefined : { DaysAfterInitiation: abortMultipartDays },
  };
}

async function getLifecycle({ bucket }: BucketCall): Promise<S3Answer> {
  if (bucket.lifecycle.length === 0)
    throw new CloudError('NoSuchLifecycleConfiguration', `the bucket ${bucket.name} has no lifecycle rules`);
  return xmlAnswer('LifecycleConfiguration', { Rule: bucket.lifecycle.map(ruleTree) });
}

async function putLifecycle(call: BucketCall): Promise<S3Answer> {
  const { Rule } = await xmlBody(call, 'LifecycleConfiguration', LIFECYCLE, MAX_BYTES);
  const lifecycle = Rule.map((asked) => ruleOf(call, asked));
  if (new Set(lifecycle.map(({ id }) => id)).size !== lifecycle.length)
    throw invalidArgument('ID', '', 'another one for each rule');
  await change(call, { lifecycle });
  return emptyAnswer();
}

async function deleteLifecycle(call: BucketCall): Promise<S3Answer> {
  await change(call, { lifecycle: [] });
  return NO_CONTENT;
}

const query = 'lifecycle';

export const LIFECYCLE_ACTIONS: readonly S3Action[] = [
  settingRow('GetBucketLifecycleConfiguration', 'GET', query, getLifecycle, 's3:GetLifecycleConfiguration'),
  settingRow('PutBucketLifecycleConfiguration', 'PUT', query, putLifecycle, 's3:PutLifecycleConfiguration'),
  settingRow('DeleteBucketLifecycle', 'DELETE', query, deleteLifecycle, 's3:PutLifecycleConfiguration'),
];
