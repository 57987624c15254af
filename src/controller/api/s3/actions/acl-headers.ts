import { CloudError } from '../../../../base/errors.ts';
import { cannedGrants, isPublicGrant } from '../../../../domain/s3/grants.ts';
import type { AclGrant, BucketRecord } from '../../../../domain/s3/records.ts';
import type { S3Call } from '../s3-action.ts';
import { invalidArgument } from './asked.ts';

export const GROUP_URIS = {
  everyone: 'http://acs.amazonaws.com/groups/global/AllUsers',
  authenticated: 'http://acs.amazonaws.com/groups/global/AuthenticatedUsers',
} as const;
const MAX_GRANTS = 100;

const GRANT_HEADERS: readonly (readonly [string, AclGrant['permission']])[] = [
  ['x-amz-grant-read', 'READ'],
  ['x-amz-grant-write', 'WRITE'],
  ['x-amz-grant-read-acp', 'READ_ACP'],
  ['x-amz-grant-write-acp', 'WRITE_ACP'],
  ['x-amz-grant-full-control', 'FULL_CONTROL'],
];

const GRANTEE_NAMES = ['id', 'uri', 'emailAddress'] as const;
/** How a grantee may be named. */
export type GranteeName = (typeof GRANTEE_NAMES)[number];

const isGranteeName = (text: string): text is GranteeName => GRANTEE_NAMES.some((name) => name === text);

/** A grantee by name. 'InvalidArgument' for a project that is not there, and for other groups. */
export function granteeOf(call: S3Call, kind: GranteeName, value: string): AclGrant['grantee'] {
  if (kind === 'uri') {
    if (value === GROUP_URIS.everyone) return { kind: 'everyone' };
    if (value === GROUP_URIS.authenticated) return { kind: 'authenticated' };
    throw invalidArgument('URI', value, Object.values(GROUP_URIS).join(' or '));
  }
  if (kind === 'id' && call.accountIdOf(value) !== undefined) return { kind: 'project', projectId: value };
  throw invalidArgument(kind, value, 'the id of a project (projects are not named by mail addresses)');
}

/** What the owner has in any case is no grant, and each is kept once. */
export function grantsBeside(grants: readonly AclGrant[], ownerId: string): AclGrant[] {
  const beside = grants.filter(({ grantee }) => grantee.kind !== 'project' || grantee.projectId !== ownerId);
  const kept = new Map(beside.map((grant) => [JSON.stringify([grant.grantee, grant.permission]), grant]));
  if (kept.size > MAX_GRANTS)
    throw new CloudError('MalformedACLError', `there are ${kept.size} grants: ${MAX_GRANTS} are allowed`);
  return [...kept.values()];
}

function headerGrants(call: S3Call): AclGrant[] {
  return GRANT_HEADERS.flatMap(([header, permission]) => {
    const names = call.header(header)?.split(',') ?? [];
    return names.map((name) => {
      const [kind = '', value = '', ...more] = name.split('=').map((part) => part.trim());
      if (!isGranteeName(kind) || more.length > 0) throw invalidArgument(header, name, 'id="PROJECT" or uri="GROUP"');
      return { grantee: granteeOf(call, kind, value.replace(/^"/, '').replace(/"$/, '').trim()), permission };
    });
  });
}

/** Whether the bucket takes them. 'AccessControlListNotSupported', 'AccessDenied'. */
export function checkGrants(
  { name, ownership, publicAccess }: Pick<BucketRecord, 'name' | 'ownership' | 'publicAccess'>,
  grants: readonly AclGrant[],
): void {
  if (ownership === 'BucketOwnerEnforced' && grants.length > 0) {
    const text = `the bucket ${name} takes no grants (its ownership is BucketOwnerEnforced): share it by a policy`;
    throw new CloudError('AccessControlListNotSupported', text);
  }
  if (publicAccess?.blockPublicAcls === true && grants.some(isPublicGrant))
    throw new CloudError('AccessDenied', `the bucket ${name} takes no grants to everybody: its block of public access`);
}

/** By `x-amz-acl` or the `x-amz-grant-` headers; undefined: the request says nothing. */
export function grantsAsked(call: S3Call, ownerId: string): readonly AclGrant[] | undefined {
  const canned = call.header('x-amz-acl');
  const granted = headerGrants(call);
  if (canned !== undefined && granted.length > 0) {
    const text = 'x-amz-acl and x-amz-grant- headers are both there: say it in one way';
    throw new CloudError('InvalidRequest', text);
  }
  if (canned !== undefined) return grantsBeside(cannedGrants(canned, ownerId), ownerId);
  const said = GRANT_HEADERS.some(([header]) => call.header(header) !== undefined);
  return said ? grantsBeside(granted, ownerId) : undefined;
}
