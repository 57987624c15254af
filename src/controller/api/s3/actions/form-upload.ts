import { CloudError } from '../../../../base/errors.ts';
import { checkPostPolicy, parsePostPolicy } from '../../../../domain/s3/post-policy.ts';
import {
  S3_LIMITS,
  USUAL_CHECKSUM,
  type Checksum,
  type ChecksumAlgorithm,
  type ObjectRecord,
} from '../../../../domain/s3/records.ts';
import type { Digests, Received } from '../../../../ports/object-store.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { s3Document } from '../s3-xml.ts';
import { checksumHeaders, quoted, versionHeader } from './answers.ts';
import { checkNewObject, invalidArgument } from './asked.ts';
import { checksumGiven } from './checksum-names.ts';
import { writeConditions } from './conditions.ts';
import { readForm, type PostedForm } from './form-reader.ts';
import { metadataAsked } from './object-headers.ts';
import { objectGrantsAsked } from './put-object.ts';
import { tagsOfDocument } from './tag-set.ts';

const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

interface Limits {
  readonly minBytes: number;
  readonly maxBytes: number;
}

/** Fields stand for headers, and some become an object's: nothing in them may end a header's line. */
function checkFields(fields: ReadonlyMap<string, string>): void {
  for (const [name, value] of fields) {
    if (name === 'policy' || name === 'tagging' || name === 'key') continue;
    if (!TOKEN.test(name) || /[\0-\x08\n-\x1f\x7f]/.test(value))
      throw invalidArgument(name, value, 'of characters that a header may have');
  }
}

function keyOf({ fields, fileName }: PostedForm): string {
  const key = (fields.get('key') ?? '').replaceAll('${filename}', () => fileName);
  if (key === '') throw invalidArgument('key', '', 'there, and not empty');
  // As in a path: nobody could ask for the object, nor delete it.
  if (key.includes('\0')) throw invalidArgument('key', key, 'without a zero byte');
  return key;
}

const SIGNED_BY = ['x-amz-signature', 'signature'];

/** A policy that nobody signed says nothing, and a signature is of a policy. A form without both is anybody's, who may what anybody may. */
function checkSigned(fields: ReadonlyMap<string, string>): void {
  if (SIGNED_BY.some((name) => fields.has(name)) === fields.has('policy')) return;
  throw new CloudError('InvalidArgument', 'the form has a policy and its signature, or neither');
}

/** What the policy says of the form. */
function limitsOf(call: BucketCall, fields: ReadonlyMap<string, string>, key: string): Limits {
  const policy = fields.get('policy');
  if (policy === undefined) return { minBytes: 0, maxBytes: S3_LIMITS.putMaxBytes };
  const parsed = parsePostPolicy(policy);
  checkPostPolicy(parsed, new Map([...fields, ['key', key], ['bucket', call.bucket.name]]), call.nowMs);
  return { minBytes: parsed.minBytes, maxBytes: Math.min(parsed.maxBytes, S3_LIMITS.putMaxBytes) };
}

/** As headers come: bytes, each a character. */
const asHeader = (value: string | undefined): string | undefined =>
  value === undefined ? undefined : Buffer.from(value).toString('latin1');

/** The call as if the fields were the headers of a PUT. */
function putCall(call: BucketCall, fields: ReadonlyMap<string, string>, key: string): BucketCall {
  const nameOf = (header: string): string => (header === 'x-amz-acl' ? 'acl' : header);
  return {
    ...call,
    key,
    header: (name) => asHeader(fields.get(nameOf(name))),
    headersOf: (prefix) =>
      [...fields]
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, value]) => [name.slice(prefix.length), asHeader(value) ?? ''] as const)
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  };
}

function checkBytes(put: BucketCall, { minBytes }: Limits): (digests: Digests, sizeBytes: number) => void {
  const md5 = put.header('content-md5');
  const given = checksumGiven(put);
  return (digests, sizeBytes) => {
    if (sizeBytes < minBytes)
      throw new CloudError('EntityTooSmall', `the file has ${sizeBytes} bytes: the form asks for ${minBytes} or more`);
    const isOther =
      (md5 !== undefined && Buffer.from(md5, 'base64').toString('hex') !== digests.md5) ||
      (given !== undefined && digests.checksums[given.algorithm] !== given.value);
    if (isOther) throw new CloudError('BadDigest', 'the file that came has another checksum than the form says');
  };
}

/** What the form brings was compared; without one the usual is kept. */
function checksumIn({ checksums }: Received['digests'], algorithm: ChecksumAlgorithm): { checksum?: Checksum } {
  const value = checksums[algorithm];
  return value === undefined ? {} : { checksum: { algorithm, type: 'FULL_OBJECT', value } };
}

async function keep(put: BucketCall, form: PostedForm, limits: Limits): Promise<ObjectRecord> {
  const { bucket, key, store } = put;
  checkNewObject(put);
  const tagging = form.fields.get('tagging');
  const tags = tagging === undefined ? {} : tagsOfDocument(tagging, S3_LIMITS.tagsPerObject);
  if (tagging !== undefined) await put.require('s3:PutObjectTagging', bucket, key);
  const grants = await objectGrantsAsked(put);
  const [metadata, conditions] = [metadataAsked(put), writeConditions(put)];
  const algorithm = checksumGiven(put)?.algorithm ?? USUAL_CHECKSUM;
  const { segment, digests }: Received = await store.receive(form.file, {
    maxBytes: limits.maxBytes,
    accept: checkBytes(put, limits),
    checksums: [algorithm],
  });
  return store.putObject(
    {
      ...{ bucket: bucket.name, key, ownerId: bucket.projectId, metadata, tags, grants },
      ...{ etag: digests.md5, segments: [segment] },
      ...checksumIn(digests, algorithm),
    },
    conditions,
  );
}

/** Where the form leads: a page of its maker's, told what was made. */
function redirectOf(fields: ReadonlyMap<string, string>, { bucket, key, etag }: ObjectRecord): string | undefined {
  const text = fields.get('success_action_redirect') ?? fields.get('redirect') ?? '';
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  for (const [name, value] of [
    ['bucket', bucket],
    ['key', key],
    ['etag', quoted(etag)],
  ] as const)
    url.searchParams.set(name, value);
  return url.href;
}

function answerOf(call: BucketCall, fields: ReadonlyMap<string, string>, object: ObjectRecord): S3Answer {
  const location = `${call.endpoint}/${object.bucket}/${encodeURIComponent(object.key).replaceAll('%2F', '/')}`;
  const headers = {
    etag: quoted(object.etag),
    location,
    ...checksumHeaders(object.checksum),
    ...versionHeader(call.bucket, object.versionId),
  };
  const redirect = redirectOf(fields, object);
  if (redirect !== undefined) return { status: 303, headers: { ...headers, location: redirect } };
  const status = fields.get('success_action_status');
  if (status === '200') return { status: 200, headers };
  if (status !== '201') return { status: 204, headers };
  const tree = { Location: location, Bucket: object.bucket, Key: object.key, ETag: quoted(object.etag) };
  return {
    status: 201,
    headers: { ...headers, 'content-type': 'application/xml' },
    body: s3Document('PostResponse', tree),
  };
}

async function postObject(call: BucketCall): Promise<S3Answer> {
  const body = call.body.stream();
  try {
    const form = await readForm(body, call.header('content-type'));
    return await take(call, form).finally(() => form.file.destroy());
  } finally {
    body.destroy();
  }
}

async function take(call: BucketCall, form: PostedForm): Promise<S3Answer> {
  const { fields } = form;
  checkFields(fields);
  const key = keyOf(form);
  checkSigned(fields);
  const signer = await call.asFormSigner(fields);
  const limits = limitsOf(call, fields, key);
  const put = putCall(signer, fields, key);
  await put.require('s3:PutObject', call.bucket, key);
  return answerOf(call, fields, await keep(put, form, limits));
}

export const FORM_ACTIONS: readonly S3Action[] = [
  { name: 'PostObject', level: 'bucket', method: 'POST', perform: postObject },
];
