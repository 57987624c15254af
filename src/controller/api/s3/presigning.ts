import { CloudError } from '../../../base/errors.ts';
import type { AccessKey } from '../../../base/signature/sign-request.ts';
import { isUsableKey } from '../../../domain/access-key.ts';
import { KEYS, PREFIX } from '../../../domain/keys.ts';
import type { AccessKeyRecord } from '../../../domain/records.ts';
import type { ControllerContext } from '../../controller-context.ts';
import type { Principal } from '../../operations/handler.ts';
import type { NamedKey } from '../ec2/ec2-principal.ts';

/** By what addresses are signed for others. */
export interface S3Presigning {
  /** Where clients find S3, without a path; undefined: it listens nowhere. */
  readonly url: () => string | undefined;
  /**
   * The key that an address is signed with: the one asked for, else the one that the caller signed with, else the first active one of the caller. The machine's
   * administrator speaks for the user admin, in the project of the bucket, and may name any key.
   */
  readonly keyFor: (asked: PresignKeyAsked) => PresignKey;
}

export interface PresignKeyAsked {
  readonly principal: Principal;
  readonly bucketProjectId: string;
  readonly accessKeyId?: string | undefined;
}

export interface PresignKey {
  readonly named: NamedKey;
  /** As it stands in the address: with its project where that is not the key's own. */
  readonly key: AccessKey;
}

/** Whom the administrator of the machine speaks for. */
const ADMIN_USER = 'admin';

const noKey = (userName: string): CloudError =>
  new CloudError(
    'InvalidRequest',
    `${userName} has no active access key to sign with; make one by "novactl key create --user ${userName}", or name one by --key-id`,
  );

type Parts = Pick<ControllerContext, 'clock' | 'sealer' | 'store'>;

function firstKeyOf({ clock, store }: Parts, userName: string, projectId: string): AccessKeyRecord | undefined {
  const usable = store
    .range<AccessKeyRecord>(PREFIX.accessKey)
    .map(({ value }) => value)
    .filter((record) => record.userId === userName && isUsableKey(record, clock.nowMs()))
    .toSorted((a, b) => a.createdAtMs - b.createdAtMs);
  return usable.find((record) => record.projectId === projectId) ?? usable[0];
}

function keyOf(parts: Parts, { principal, bucketProjectId, accessKeyId }: PresignKeyAsked): AccessKeyRecord {
  const { userName } = principal;
  const id = accessKeyId ?? principal.accessKeyId;
  if (id === undefined) {
    const record = firstKeyOf(
      parts,
      userName ?? ADMIN_USER,
      userName === undefined ? bucketProjectId : principal.projectId,
    );
    if (record === undefined) throw noKey(userName ?? ADMIN_USER);
    return record;
  }
  const record = parts.store.get<AccessKeyRecord>(KEYS.accessKey(id))?.value;
  // Others' keys are as if they were not there.
  const isMine = userName === undefined || record?.userId === userName;
  if (isMine && isUsableKey(record, parts.clock.nowMs())) return record;
  const text = `--key-id: there is no active access key ${id.slice(0, 128)} of yours; see "novactl key list"`;
  throw new CloudError('InvalidRequest', text);
}

export function s3Presigning(parts: Parts, url: () => string | undefined): S3Presigning {
  return {
    url,
    keyFor(asked) {
      const record = keyOf(parts, asked);
      const { principal, bucketProjectId, accessKeyId } = asked;
      const working = principal.userName === undefined ? bucketProjectId : principal.projectId;
      // A key that is named works where it belongs.
      const projectId = accessKeyId === undefined ? working : record.projectId;
      const isElsewhere = projectId !== record.projectId;
      return {
        named: { accessKeyId: record.id, ...(isElsewhere ? { projectId } : {}) },
        key: {
          accessKeyId: isElsewhere ? `${record.id}:${projectId}` : record.id,
          secretAccessKey: parts.sealer.unseal(record.sealedSecret, KEYS.accessKey(record.id)),
        },
      };
    },
  };
}
