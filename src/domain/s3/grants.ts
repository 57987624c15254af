import { CloudError } from '../../base/errors.ts';
import type { AclGrant } from './records.ts';

type Permission = AclGrant['permission'];

/** Which permission of a grant allows which action, on a bucket and on an object (S3 user guide, "Mapping of ACL permissions and access policy permissions"). */
const ON_BUCKET: Readonly<Record<string, Permission>> = {
  's3:ListBucket': 'READ',
  's3:ListBucketVersions': 'READ',
  's3:ListBucketMultipartUploads': 'READ',
  's3:PutObject': 'WRITE',
  's3:DeleteObject': 'WRITE',
  's3:DeleteObjectVersion': 'WRITE',
  's3:GetBucketAcl': 'READ_ACP',
  's3:PutBucketAcl': 'WRITE_ACP',
};
const ON_OBJECT: Readonly<Record<string, Permission>> = {
  's3:GetObject': 'READ',
  's3:GetObjectVersion': 'READ',
  's3:GetObjectAttributes': 'READ',
  's3:GetObjectVersionAttributes': 'READ',
  's3:GetObjectAcl': 'READ_ACP',
  's3:GetObjectVersionAcl': 'READ_ACP',
  's3:PutObjectAcl': 'WRITE_ACP',
  's3:PutObjectVersionAcl': 'WRITE_ACP',
};

const isFor = ({ grantee }: AclGrant, projectId: string | undefined): boolean =>
  grantee.kind === 'everyone' ||
  (grantee.kind === 'authenticated' && projectId !== undefined) ||
  (grantee.kind === 'project' && grantee.projectId === projectId);

/** To all or to all who sign with some key: that is everybody. */
export const isPublicGrant = ({ grantee }: AclGrant): boolean => grantee.kind !== 'project';

/** Whether one of the grants on the bucket (or on the object) allows the action. `projectId` undefined: nobody that signed. */
export function grantsAllow(
  action: string,
  level: 'bucket' | 'object',
  grants: readonly AclGrant[],
  projectId: string | undefined,
): boolean {
  const needed = (level === 'bucket' ? ON_BUCKET : ON_OBJECT)[action];
  if (needed === undefined) return false;
  return grants.some(
    (grant) => (grant.permission === needed || grant.permission === 'FULL_CONTROL') && isFor(grant, projectId),
  );
}

/** The canned ones that are taken, as the grants beside the owner's. */
const CANNED: Readonly<Record<string, (bucketOwnerId: string) => readonly AclGrant[]>> = {
  private: () => [],
  'public-read': () => [{ grantee: { kind: 'everyone' }, permission: 'READ' }],
  'public-read-write': () => [
    { grantee: { kind: 'everyone' }, permission: 'READ' },
    { grantee: { kind: 'everyone' }, permission: 'WRITE' },
  ],
  'authenticated-read': () => [{ grantee: { kind: 'authenticated' }, permission: 'READ' }],
  'bucket-owner-read': (projectId) => [{ grantee: { kind: 'project', projectId }, permission: 'READ' }],
  'bucket-owner-full-control': (projectId) => [{ grantee: { kind: 'project', projectId }, permission: 'FULL_CONTROL' }],
};

/** What `x-amz-acl` says. 'InvalidArgument' for others than are known here. */
export function cannedGrants(name: string, bucketOwnerId: string): readonly AclGrant[] {
  const grants = Object.hasOwn(CANNED, name) ? CANNED[name] : undefined;
  if (grants !== undefined) return grants(bucketOwnerId);
  throw new CloudError('InvalidArgument', `x-amz-acl: must be one of ${Object.keys(CANNED).join(', ')}`);
}
