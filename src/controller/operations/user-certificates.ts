import { createPublicKey, type KeyObject } from 'node:crypto';
import { CloudError, errorText } from '../../base/errors.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { BundlingKeyRecord, UserCertificateRecord } from '../../domain/user-certificate.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { SignedCertificate } from '../../ports/certificate-authority.ts';
import { agreeOnBundlingKey, proposeBundlingKey } from '../images/bundle/bundle-keys.ts';
import type { Draft } from '../state/draft.ts';
import { type KeyOwner, requireKeyOwner } from '../users/key-owner.ts';
import type { ChangeHandler, ReadHandler } from './handler.ts';
import { badParameter, isAdmin } from './handler.ts';

type View = OperationOutput<'DescribeUserCertificates'>['userCertificates'][number];

const DAY_MS = 86_400_000;
/** So many certificates one user has at most; how long they are good is the limit of what stays of revoked ones. */
const CERTIFICATES_A_USER = 100;
const RSA_BITS = { min: 3072, max: 8192 } as const;

interface Signed {
  readonly owner: KeyOwner;
  readonly signed: SignedCertificate;
  readonly keyType: 'rsa' | 'ec';
  readonly authority: string;
  readonly bundling: BundlingKeyRecord;
  readonly accountId: string;
}

/** The private key never comes here: who asks made it, and keeps it. */
export const createUserCertificate: ChangeHandler<'CreateUserCertificate', Signed> = {
  async prepare({ cloud, principal }, input) {
    const keyType = keyTypeOf(input.PublicKey);
    const owner = await requireKeyOwner(cloud, principal, input);
    const project = await cloud.directory.project(owner.projectId);
    const lifeMs = input.LifeDays * DAY_MS;
    const signed = await cloud.authority.signUser({ ...owner, publicKey: input.PublicKey, lifeMs });
    return {
      owner,
      signed,
      keyType,
      authority: await cloud.authority.certificate(),
      bundling: await proposeBundlingKey(cloud),
      accountId: project?.accountId ?? '',
    };
  },

  settled: true,
  decide(draft, { PublicKey: publicKey }, context, { owner, signed, keyType, authority, bundling, accountId }) {
    const { serial, fingerprint, expiresAtMs, certificate } = signed;
    refuseMany(draft, owner.userId);
    const times = { createdAtMs: context.nowMs, expiresAtMs };
    const record: UserCertificateRecord = { v: 1, serial, ...owner, keyType, fingerprint, publicKey, ...times };
    draft.put(KEYS.userCertificate(serial), record);
    const { region } = context.cloud.policy;
    return {
      output: {
        userCertificate: view(record),
        certificate,
        authority,
        bundling: agreeOnBundlingKey(draft, bundling).certificate,
        accountId,
        region,
        operationId: context.operationId,
      },
      targets: [serial],
    };
  },
};

/** A revoked one counts until it is over, since so long its record is kept. */
function refuseMany(draft: Draft, userId: string): void {
  const rows = draft.replica.range<UserCertificateRecord>(PREFIX.userCertificate).map((entry) => entry.value);
  if (rows.filter((row) => row.userId === userId).length < CERTIFICATES_A_USER) return;
  throw new CloudError(
    'ResourceLimitExceeded',
    `UserName: ${userId} has ${CERTIFICATES_A_USER} certificates, and may have no more; one that is over or whose user or project is deleted goes, a revoked one stays until it is over ("novactl certificate list")`,
    { details: { parameter: 'UserName' } },
  );
}

function keyTypeOf(pem: string): 'rsa' | 'ec' {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (error) {
    throw badParameter('PublicKey', `can't be read: ${errorText(error)}`);
  }
  const { modulusLength = 0, namedCurve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= RSA_BITS.min && modulusLength <= RSA_BITS.max) return 'rsa';
  if (key.asymmetricKeyType === 'ec' && namedCurve === 'prime256v1') return 'ec';
  const what = `${key.asymmetricKeyType ?? 'a key'} ${namedCurve ?? (modulusLength === 0 ? '' : modulusLength)}`.trim();
  throw badParameter('PublicKey', `must be RSA of ${RSA_BITS.min} to ${RSA_BITS.max} bits, or P-256, not ${what}`);
}

export const describeUserCertificates: ReadHandler<'DescribeUserCertificates'> = ({ cloud, principal }, input) => {
  const mine = isAdmin(principal) ? input.UserName : (principal.userName ?? '');
  const userCertificates = cloud.store
    .range<UserCertificateRecord>(PREFIX.userCertificate)
    .map((entry) => entry.value)
    .filter(({ userId }) => mine === undefined || userId === mine)
    .filter(({ userId }) => input.UserName === undefined || userId === input.UserName)
    .map(view);
  return { userCertificates, rev: cloud.store.rev };
};

export const deleteUserCertificate: ChangeHandler<'DeleteUserCertificate'> = {
  decide(draft, { Serial: serial }, { principal, operationId, nowMs }) {
    const key = KEYS.userCertificate(serial);
    const record = draft.get<UserCertificateRecord>(key);
    if (record === undefined || (!isAdmin(principal) && record.userId !== principal.userName)) {
      throw new CloudError('NotFound', `Serial: there is no certificate ${serial}`, {
        details: { parameter: 'Serial' },
      });
    }
    // Kept until it is over, so that whoever checks what it signed knows.
    const revoked: UserCertificateRecord = { ...record, revokedAtMs: record.revokedAtMs ?? nowMs };
    draft.put(key, revoked);
    return { output: { userCertificate: view(revoked), operationId }, targets: [serial] };
  },
};

function view({ v: _v, publicKey: _publicKey, userId, ...rest }: UserCertificateRecord): View {
  return { ...rest, userName: userId };
}
