import { passesRule, type AccessRule } from '../access-rules.ts';
import { grantsAllow, isPublicGrant } from './grants.ts';
import { isPublicPolicy, policySays, type Policy, type PolicyQuestion } from './policy.ts';
import type { AclGrant, BucketRecord } from './records.ts';

/** What a member of the owning project needs for an action; all others need the rule `use`. */
const RULES: Readonly<Record<string, AccessRule>> = {
  // Who may share the project's data with others, and who may take a bucket's settings away.
  's3:PutBucketAcl': 'sysadmin',
  's3:PutBucketPolicy': 'sysadmin',
  's3:DeleteBucketPolicy': 'sysadmin',
  's3:PutBucketOwnershipControls': 'sysadmin',
  's3:PutBucketPublicAccessBlock': 'sysadmin',
  's3:PutObjectAcl': 'sysadmin',
  's3:PutObjectVersionAcl': 'sysadmin',
  's3:PutBucketVersioning': 'sysadmin',
  's3:PutLifecycleConfiguration': 'sysadmin',
  's3:DeleteObjectVersion': 'sysadmin',
};
/** Names of actions that only look. */
const LOOKS = /^s3:(Get|List|Head)/;
/** Whoever may change a policy may always mend one that denies them. */
const MENDS = ['s3:GetBucketPolicy', 's3:PutBucketPolicy', 's3:DeleteBucketPolicy'];

/** In the project that the key works in; undefined: nobody that signed. */
export interface S3Asker {
  readonly projectId: string;
  readonly accountId?: string;
  readonly roles: readonly string[];
}

export interface S3Question {
  readonly action: string;
  readonly asker: S3Asker | undefined;
  readonly bucket: Pick<BucketRecord, 'name' | 'projectId' | 'grants' | 'ownership' | 'publicAccess'>;
  /** As parsed; undefined: the bucket has none. */
  readonly policy: Policy | undefined;
  /** Where the action is on an object. `grants` are of one that is there. */
  readonly object?: { readonly key: string; readonly ownerId?: string; readonly grants?: readonly AclGrant[] };
  readonly context: PolicyQuestion['context'];
}

function ownMay(action: string, roles: readonly string[]): boolean {
  const rule = RULES[action] ?? (LOOKS.test(action) ? 'member' : 'use');
  return passesRule(rule, roles);
}

const namesOf = (asker: S3Asker | undefined): string[] =>
  [asker?.projectId, asker?.accountId].filter((name) => name !== undefined);

function isGranted({ action, asker, bucket, object }: S3Question): boolean {
  if (bucket.ownership === 'BucketOwnerEnforced') return false;
  const projectId = asker?.projectId;
  const ignoresPublic = bucket.publicAccess?.ignorePublicAcls === true;
  const obeyed = (grants: readonly AclGrant[]): readonly AclGrant[] =>
    ignoresPublic ? grants.filter((grant) => !isPublicGrant(grant)) : grants;
  if (grantsAllow(action, 'bucket', obeyed(bucket.grants), projectId)) return true;
  return object?.grants !== undefined && grantsAllow(action, 'object', obeyed(object.grants), projectId);
}

/** What the policy allows somebody of another project, unless the bucket keeps public policies to its own. */
function isAllowed({ asker, bucket, policy }: S3Question): boolean {
  if (bucket.publicAccess?.restrictPublicBuckets !== true || asker?.projectId === bucket.projectId) return true;
  return policy !== undefined && !isPublicPolicy(policy);
}

/**
 * Whether the action is allowed. The owner is the bucket's project: its members may by their roles; others by the bucket's policy, or by grants on the bucket or
 * the object. What the policy denies is denied to everybody, but the policy itself stays in the hands of who may change it.
 */
export function mayS3(question: S3Question): boolean {
  const { action, asker, bucket, policy, object, context } = question;
  const byRole = asker?.projectId === bucket.projectId && ownMay(action, asker.roles);
  if (byRole && MENDS.includes(action)) return true;
  const resource = object === undefined ? bucket.name : `${bucket.name}/${object.key}`;
  const said =
    policy === undefined ? 'none' : policySays(policy, { action, resource, callers: namesOf(asker), context });
  if (said === 'deny') return false;
  return byRole || (said === 'allow' && isAllowed(question)) || isGranted(question);
}
