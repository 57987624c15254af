import type { ImageAsker } from '../../domain/image-import.ts';
import { CloudError } from '../../base/errors.ts';
import type { ObjectRecord } from '../../domain/s3/records.ts';
import type { ImageObject, ImageObjects } from '../../ports/image-objects.ts';
import type { ObjectStore } from '../../ports/object-store.ts';
import type { S3Caller } from '../api/s3/s3-action.ts';
import { ParsedPolicies, requireAccess, type AccessParts } from '../api/s3/s3-access.ts';
import type { Accounts } from '../users/directory-memo.ts';

export interface LocalImageObjectsParts {
  /** 'Unavailable', 'LockBusy'. */
  readonly store: () => Promise<ObjectStore>;
  readonly accounts: () => Promise<Accounts>;
}

interface Named {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string;
}

/** What policies are told of a request that comes from inside of the cloud. */
const CONTEXT: AccessParts['context'] = { 'aws:SecureTransport': 'true' };

async function versionOf(store: ObjectStore, { bucket, key, versionId }: Named): Promise<ObjectRecord> {
  const found = await store.object(bucket, key, versionId);
  if (found.kind === 'object') return found;
  throw new CloudError('NoSuchKey', `the version ${found.versionId} of ${bucket}/${key} says that it was deleted`);
}

function imageObject(store: ObjectStore, object: ObjectRecord): ImageObject {
  const { sizeBytes, etag, versionId } = object;
  return {
    ...{ sizeBytes, etag, versionId },
    // The segments are those of this version, whatever the key becomes; what is on disk is compared with what was stored.
    read: ({ start = 0, end = sizeBytes } = {}) => store.read(object, { start, end, verify: true }),
  };
}

/** As S3 takes who asks over the admin channel: the administrator of the machine, who has no user, could read the files anyway and is refused nothing. */
function callerOf({ name, userName, projectId, roles }: ImageAsker): S3Caller {
  const principal = { name, projectId, roles, from: 'image' };
  if (userName === undefined) return { kind: 'key', principal, mayAll: true };
  return { kind: 'key', principal: { ...principal, userName } };
}

/** Objects of this cloud's own store, by the rights that the asker has over S3: role in the owning project, policy, grants. */
export function createLocalImageObjects({ store: opened, accounts }: LocalImageObjectsParts): ImageObjects {
  const policies = new ParsedPolicies();
  return {
    async open(asker: ImageAsker, named: Named) {
      const store = await opened();
      const bucket = await store.bucket(named.bucket);
      const known = await accounts();
      await requireAccess(
        {
          ...{ store, policies, context: CONTEXT },
          caller: callerOf(asker),
          accountIdOf: (id) => known.accountOf(id),
        },
        { permission: 's3:GetObject', bucket, key: named.key, versionId: named.versionId },
      );
      return imageObject(store, await versionOf(store, named));
    },
  };
}
