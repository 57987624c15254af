import { CloudError, isCode } from '../../../base/errors.ts';
import { mayS3, type S3Question } from '../../../domain/s3/access.ts';
import { parsePolicy, type Policy } from '../../../domain/s3/policy.ts';
import type { BucketRecord } from '../../../domain/s3/records.ts';
import type { ObjectStore } from '../../../ports/object-store.ts';
import type { S3Caller, S3Permission } from './s3-action.ts';
import { headerOf, type S3Request } from './s3-request.ts';

/** What policies call an action that names a version. */
const OF_VERSION: Readonly<Partial<Record<S3Permission, S3Permission>>> = {
  's3:GetObject': 's3:GetObjectVersion',
  's3:GetObjectAcl': 's3:GetObjectVersionAcl',
  's3:GetObjectAttributes': 's3:GetObjectVersionAttributes',
  's3:GetObjectTagging': 's3:GetObjectVersionTagging',
  's3:PutObjectAcl': 's3:PutObjectVersionAcl',
  's3:PutObjectTagging': 's3:PutObjectVersionTagging',
  's3:DeleteObject': 's3:DeleteObjectVersion',
  's3:DeleteObjectTagging': 's3:DeleteObjectVersionTagging',
};
/** Policies that are kept parsed. */
const PARSED_MAX = 1000;

/** Policies by their text, so that they are not parsed for every request. */
export class ParsedPolicies {
  readonly #parsed = new Map<string, Policy>();

  of({ name, policy }: Pick<BucketRecord, 'name' | 'policy'>): Policy | undefined {
    if (policy === undefined) return undefined;
    const id = `${name}\n${policy}`;
    const known = this.#parsed.get(id);
    if (known !== undefined) return known;
    const parsed = parsePolicy(policy, name);
    const [oldest] = this.#parsed.keys();
    if (this.#parsed.size >= PARSED_MAX && oldest !== undefined) this.#parsed.delete(oldest);
    this.#parsed.set(id, parsed);
    return parsed;
  }
}

/** What conditions of policies can ask of a request. */
export function conditionsOf(request: S3Request): S3Question['context'] {
  const { query, remoteAddress, isSecure } = request;
  const acl = headerOf(request, 'x-amz-acl');
  const [prefix, delimiter] = [query.get('prefix'), query.get('delimiter')];
  return {
    'aws:SourceIp': remoteAddress.replace(/^::ffff:/, ''),
    'aws:SecureTransport': String(isSecure),
    ...(prefix === undefined ? {} : { 's3:prefix': prefix }),
    ...(delimiter === undefined ? {} : { 's3:delimiter': delimiter }),
    ...(acl === undefined ? {} : { 's3:x-amz-acl': acl }),
  };
}

/** The same of a form: its fields say what a PUT's headers do. */
export function formConditionsOf(request: S3Request, fields: ReadonlyMap<string, string>): S3Question['context'] {
  const { 's3:x-amz-acl': _, ...context } = conditionsOf(request);
  const acl = fields.get('acl');
  return acl === undefined ? context : { ...context, 's3:x-amz-acl': acl };
}

export interface AccessParts {
  readonly caller: S3Caller;
  readonly store: Pick<ObjectStore, 'object'>;
  readonly policies: ParsedPolicies;
  readonly context: S3Question['context'];
  readonly accountIdOf: (projectId: string) => string | undefined;
}

export interface AccessAsked {
  readonly permission: S3Permission;
  readonly bucket: BucketRecord;
  readonly key?: string | undefined;
  readonly versionId?: string | undefined;
}

function askerOf({ caller, accountIdOf }: AccessParts): S3Question['asker'] {
  if (caller.kind === 'anonymous') return undefined;
  const { projectId, roles } = caller.principal;
  const accountId = accountIdOf(projectId);
  return { projectId, roles, ...(accountId === undefined ? {} : { accountId }) };
}

/** What the object itself grants; nothing when it is not there. */
async function objectOf(
  { store }: AccessParts,
  { bucket, key = '', versionId }: AccessAsked,
): Promise<NonNullable<S3Question['object']>> {
  try {
    const found = await store.object(bucket.name, key, versionId);
    return found.kind === 'object' ? { key, ownerId: found.ownerId, grants: found.grants } : { key };
  } catch (error) {
    if (isCode(error, 'NoSuchKey', 'NoSuchObjectVersion', 'NoSuchBucket')) return { key };
    throw error;
  }
}

/** 'AccessDenied' unless the caller may: by role in the owning project, by the bucket's policy, by grants of the bucket or the object. */
export async function requireAccess(parts: AccessParts, asked: AccessAsked): Promise<void> {
  const { caller, policies, context } = parts;
  if (caller.kind === 'key' && caller.mayAll === true) return;
  const { permission, bucket, key = '', versionId } = asked;
  const action = versionId === undefined ? permission : (OF_VERSION[permission] ?? permission);
  const question: S3Question = {
    ...{ action, bucket, context, asker: askerOf(parts), policy: policies.of(bucket) },
    ...(key === '' ? {} : { object: { key } }),
  };
  if (mayS3(question)) return;
  // Only who was refused so far is worth the look.
  if (key !== '' && mayS3({ ...question, object: await objectOf(parts, asked) })) return;
  const who = caller.kind === 'anonymous' ? 'a request without a signature' : caller.principal.name;
  throw new CloudError(
    'AccessDenied',
    `${who} may not ${action} here: neither a role in the owning project, nor the bucket's policy, nor a grant allows it`,
  );
}
