import { CloudError } from '../../base/errors.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { AccessKeyRecord, UserRecord } from '../../domain/records.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import { newAccessKey } from '../users/new-access-key.ts';
import type { ChangeHandler, ReadHandler } from './handler.ts';

type View = OperationOutput<'DescribeAccessKeys'>['accessKeys'][number];

/** The secret goes out once. The first identity's key is answered to who asks first; every other call makes a new one. */
export const createAccessKey: ChangeHandler<'CreateAccessKey'> = {
  settled: true,
  decide(draft, input, context) {
    const { random, sealer, policy } = context.cloud;
    const userId = input.UserName;
    if (draft.get<UserRecord>(KEYS.user(userId)) === undefined) {
      throw new CloudError('InvalidUser.NotFound', `UserName: there is no user ${userId}`, {
        details: { parameter: 'UserName' },
      });
    }
    const waiting = draft.replica
      .range<AccessKeyRecord>(PREFIX.accessKey)
      .find(({ value }) => value.userId === userId && !value.issued && value.active);
    const unissued = waiting === undefined ? undefined : draft.get<AccessKeyRecord>(KEYS.accessKey(waiting.value.id));
    const made =
      unissued === undefined
        ? newAccessKey({ random, sealer, nowMs: context.nowMs }, { userId, projectId: 'admin' })
        : { record: unissued, secret: sealer.unseal(unissued.sealedSecret, KEYS.accessKey(unissued.id)) };
    const record: AccessKeyRecord = { ...made.record, issued: true };
    draft.put(KEYS.accessKey(record.id), record);
    return {
      output: {
        accessKey: view(record),
        secretAccessKey: made.secret,
        region: policy.region,
        operationId: context.operationId,
      },
      targets: [record.id],
    };
  },
};

export const deleteAccessKey: ChangeHandler<'DeleteAccessKey'> = {
  decide(draft, input, context) {
    const at = KEYS.accessKey(input.AccessKeyId);
    if (draft.get<AccessKeyRecord>(at) === undefined) {
      throw new CloudError(
        'InvalidAccessKeyID.NotFound',
        `AccessKeyId: there is no access key ${input.AccessKeyId}; see "novactl access-key list"`,
        { details: { parameter: 'AccessKeyId' } },
      );
    }
    draft.del(at);
    return {
      output: { accessKeyId: input.AccessKeyId, operationId: context.operationId },
      targets: [input.AccessKeyId],
    };
  },
};

export const describeAccessKeys: ReadHandler<'DescribeAccessKeys'> = ({ cloud }, input) => {
  const { UserName: userName } = input;
  const rows = cloud.store.range<AccessKeyRecord>(PREFIX.accessKey).map((entry) => entry.value);
  const accessKeys = rows.filter((row) => userName === undefined || row.userId === userName).map(view);
  return { accessKeys, rev: cloud.store.rev };
};

function view(record: AccessKeyRecord): View {
  return {
    accessKeyId: record.id,
    userName: record.userId,
    projectId: record.projectId,
    status: record.active ? 'Active' : 'Inactive',
    issued: record.issued,
    createdAtMs: record.createdAtMs,
  };
}
