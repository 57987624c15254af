import { CloudError } from '../../base/errors.ts';
import { type AccessKeyUseRecord, isExpiredKey } from '../../domain/access-key.ts';
import { useUser } from '../../domain/directory-records.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { AccessKeyRecord } from '../../domain/records.ts';
import type { OperationOutput, OperationParsed } from '../../messages/operations/index.ts';
import type { Draft } from '../state/draft.ts';
import { type KeyOwner, requireKeyOwner } from '../users/key-owner.ts';
import { noProject } from '../users/directory-views.ts';
import { newAccessKey } from '../users/new-access-key.ts';
import type { ChangeContext, ChangeHandler, Principal, ReadHandler } from './handler.ts';
import { isAdmin } from './handler.ts';

type View = OperationOutput<'DescribeAccessKeys'>['accessKeys'][number];

interface Made {
  readonly record: AccessKeyRecord;
  readonly secret: string;
}

interface DirectoryMark {
  readonly operationId: string;
}

interface AskedOwner {
  readonly owner: KeyOwner;
  /** The last change of the directory, before it was asked. */
  readonly mark: string | undefined;
}

/** So many keys one user has at most. */
const KEYS_A_USER = 50;

/** The secret goes out once. The first identity's key is answered to who asks first; every other call makes a new one. */
export const createAccessKey: ChangeHandler<'CreateAccessKey', AskedOwner> = {
  async prepare({ cloud, principal }, input) {
    const mark = cloud.store.get<DirectoryMark>(KEYS.directoryChange)?.value.operationId;
    return { owner: await requireKeyOwner(cloud, principal, input), mark };
  },

  settled: true,
  decide(draft, input, context, { owner, mark }) {
    if (context.cloud.directory.kind === 'store') keepOwner(draft, owner);
    else keepOwnerElsewhere(draft, owner, mark);
    const given = givenPair(input, context.principal);
    const made = given === undefined ? nextKey(draft, context, owner) : givenKey(draft, context, owner, given);
    const record: AccessKeyRecord = { ...made.record, issued: true };
    draft.put(KEYS.accessKey(record.id), record);
    return {
      output: {
        accessKey: view(record, context.nowMs),
        secretAccessKey: made.secret,
        region: context.cloud.policy.region,
        operationId: context.operationId,
      },
      targets: [record.id],
    };
  },
};

/** User and project are still there, and stay until the key is: a key of nobody would be that of whoever gets the name next. */
function keepOwner(draft: Draft, { userId, projectId }: KeyOwner): void {
  useUser(draft, userId);
  if (draft.get(KEYS.project(projectId)) === undefined) throw noProject(projectId);
}

/** A directory elsewhere guards nothing, so the last change that this cloud made there is guarded, and one that deletes the user looks for their keys anew. */
function keepOwnerElsewhere(draft: Draft, { userId }: KeyOwner, mark: string | undefined): void {
  if (draft.get<DirectoryMark>(KEYS.directoryChange)?.operationId !== mark) {
    throw new CloudError('Conflict', `users or projects were changed while a key was made for ${userId}; try again`);
  }
  draft.put(KEYS.userUse(userId), { v: 1 });
}

function givenPair(
  { AccessKeyId: id, SecretAccessKey: secret }: OperationParsed<'CreateAccessKey'>,
  principal: Principal,
): { id: string; secret: string } | undefined {
  if (id === undefined && secret === undefined) return undefined;
  if (!isAdmin(principal)) {
    throw new CloudError('UnauthorizedOperation', 'AccessKeyId: only a cloudadmin may say which key and secret it is', {
      details: { parameter: 'AccessKeyId' },
    });
  }
  if (id !== undefined && secret !== undefined) return { id, secret };
  const missing = id === undefined ? 'AccessKeyId' : 'SecretAccessKey';
  throw new CloudError('InvalidParameterCombination', `${missing}: is needed too, or neither of the two`, {
    details: { parameter: missing },
  });
}

function nextKey(draft: Draft, context: ChangeContext, owner: KeyOwner): Made {
  const { random, sealer } = context.cloud;
  const waiting = keysOf(draft, owner.userId).find(
    (row) => row.projectId === owner.projectId && !row.issued && row.active,
  );
  const unissued = waiting === undefined ? undefined : draft.get<AccessKeyRecord>(KEYS.accessKey(waiting.id));
  if (unissued !== undefined)
    return { record: unissued, secret: sealer.unseal(unissued.sealedSecret, KEYS.accessKey(unissued.id)) };
  refuseMany(draft, owner.userId);
  return newAccessKey({ random, sealer, nowMs: context.nowMs }, owner);
}

function givenKey(
  draft: Draft,
  context: ChangeContext,
  owner: KeyOwner,
  { id, secret }: { id: string; secret: string },
): Made {
  refuseMany(draft, owner.userId);
  const key = KEYS.accessKey(id);
  if (draft.get(key) !== undefined) {
    throw new CloudError('AlreadyExists', `AccessKeyId: there is an access key ${id} already; name another`, {
      details: { parameter: 'AccessKeyId' },
    });
  }
  const sealedSecret = context.cloud.sealer.seal(secret, key);
  const fresh = { createdAtMs: context.nowMs, active: true, issued: true };
  return { secret, record: { v: 1, id, ...owner, sealedSecret, ...fresh } };
}

function keysOf(draft: Draft, userId: string): AccessKeyRecord[] {
  const rows = draft.replica.range<AccessKeyRecord>(PREFIX.accessKey).map((entry) => entry.value);
  return rows.filter((row) => row.userId === userId);
}

function refuseMany(draft: Draft, userId: string): void {
  if (keysOf(draft, userId).length < KEYS_A_USER) return;
  throw new CloudError(
    'ResourceLimitExceeded',
    `UserName: ${userId} has ${KEYS_A_USER} access keys, and may have no more; delete one first ("novactl key list")`,
    { details: { parameter: 'UserName' } },
  );
}

export const updateAccessKey: ChangeHandler<'UpdateAccessKey'> = {
  decide(draft, input, context) {
    const record = { ...ownKey(draft, context.principal, input.AccessKeyId), active: input.Status === 'Active' };
    draft.put(KEYS.accessKey(record.id), record);
    return {
      output: { accessKey: view(record, context.nowMs, lastUse(draft, record)), operationId: context.operationId },
      targets: [record.id],
    };
  },
};

export const deleteAccessKey: ChangeHandler<'DeleteAccessKey'> = {
  decide(draft, input, context) {
    const { id } = ownKey(draft, context.principal, input.AccessKeyId);
    draft.del(KEYS.accessKey(id));
    draft.del(KEYS.accessKeyUse(id));
    return { output: { accessKeyId: id, operationId: context.operationId }, targets: [id] };
  },
};

/** The old key stays good for a while, so that whoever uses it can be told of the new one. */
export const rotateAccessKey: ChangeHandler<'RotateAccessKey'> = {
  settled: true,
  decide(draft, input, context) {
    const { nowMs, cloud, operationId } = context;
    const old = ownKey(draft, context.principal, input.AccessKeyId);
    if (!old.active || old.expiresAtMs !== undefined) {
      const why = old.active ? 'was rotated already' : 'is disabled';
      throw new CloudError('IncorrectState', `AccessKeyId: ${old.id} ${why}; make a new one by "novactl key create"`, {
        details: { parameter: 'AccessKeyId' },
      });
    }
    refuseMany(draft, old.userId);
    const { random, sealer } = cloud;
    const owner = { userId: old.userId, projectId: old.projectId };
    const { record, secret } = newAccessKey({ random, sealer, nowMs }, owner);
    const previous: AccessKeyRecord = { ...old, expiresAtMs: nowMs + input.OverlapSeconds * 1000 };
    draft.put(KEYS.accessKey(record.id), record);
    draft.put(KEYS.accessKey(previous.id), previous);
    return {
      output: {
        ...{ accessKey: view(record, nowMs), secretAccessKey: secret },
        ...{ previous: view(previous, nowMs, lastUse(draft, previous)), region: cloud.policy.region, operationId },
      },
      targets: [record.id, previous.id],
    };
  },
};

/** One's own key; the cloudadmin's are all. */
function ownKey(draft: Draft, principal: Principal, id: string): AccessKeyRecord {
  const record = draft.get<AccessKeyRecord>(KEYS.accessKey(id));
  if (record !== undefined && (isAdmin(principal) || record.userId === principal.userName)) return record;
  throw new CloudError(
    'InvalidAccessKeyID.NotFound',
    `AccessKeyId: there is no access key ${id}; see "novactl key list"`,
    { details: { parameter: 'AccessKeyId' } },
  );
}

const lastUse = (draft: Draft, { id }: AccessKeyRecord): AccessKeyUseRecord | undefined =>
  draft.peek<AccessKeyUseRecord>(KEYS.accessKeyUse(id));

export const describeAccessKeys: ReadHandler<'DescribeAccessKeys'> = ({ cloud, principal, nowMs }, input) => {
  const { store } = cloud;
  const { UserName: asked, ProjectId: projectId } = input;
  // Nobody is told whether others have keys.
  const mine = isAdmin(principal) ? asked : (principal.userName ?? '');
  const rows = store
    .range<AccessKeyRecord>(PREFIX.accessKey)
    .map((entry) => entry.value)
    .filter((row) => mine === undefined || row.userId === mine)
    .filter((row) => asked === undefined || row.userId === asked)
    .filter((row) => projectId === undefined || row.projectId === projectId);
  const useOf = (id: string) => store.get<AccessKeyUseRecord>(KEYS.accessKeyUse(id))?.value;
  return { accessKeys: rows.map((row) => view(row, nowMs, useOf(row.id))), rev: store.rev };
};

function view(record: AccessKeyRecord, nowMs: number, used?: AccessKeyUseRecord): View {
  const { expiresAtMs } = record;
  return {
    accessKeyId: record.id,
    userName: record.userId,
    projectId: record.projectId,
    status: !record.active ? 'Inactive' : isExpiredKey(record, nowMs) ? 'Expired' : 'Active',
    issued: record.issued,
    createdAtMs: record.createdAtMs,
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(used === undefined ? {} : { lastUsedAtMs: used.atMs, lastUsedOn: used.edge }),
  };
}
