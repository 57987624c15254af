import { CloudError } from '../../base/errors.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { OperationRecord } from '../../domain/records.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { Principal, ReadHandler, StreamHandler } from './handler.ts';
import { badParameter, mayUse } from './handler.ts';
import { ChangeQueue } from './watch-instances.ts';
import type { Replica } from '../../ports/store.ts';

type View = OperationOutput<'DescribeOperations'>['operations'][number];

const PAGE_DEFAULT = 50;

export const describeOperations: ReadHandler<'DescribeOperations'> = ({ cloud, principal }, input) => {
  const { store } = cloud;
  if (input.OperationIds !== undefined) {
    return { operations: input.OperationIds.map((id) => view(operationOf(store, principal, id))), rev: store.rev };
  }
  const limit = input.MaxResults ?? PAGE_DEFAULT;
  const operations: View[] = [];
  let after = pageStart(input.NextToken);
  for (;;) {
    const entries = store.range<OperationRecord>(PREFIX.operation, {
      ...(after === undefined ? {} : { after }),
      limit,
    });
    for (const { key, value } of entries) {
      after = key;
      if (mayUse(principal, value.projectId)) operations.push(view(value));
      if (operations.length >= limit) break;
    }
    if (operations.length >= limit || entries.length < limit) break;
  }
  const more = after !== undefined && store.range(PREFIX.operation, { after, limit: 1 }).length > 0;
  return {
    operations,
    rev: store.rev,
    ...(more && after !== undefined ? { nextToken: Buffer.from(after).toString('base64url') } : {}),
  };
};

function pageStart(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  const key = Buffer.from(token, 'base64url').toString();
  if (!key.startsWith(PREFIX.operation)) throw badParameter('NextToken', 'is not a token that this cloud gave out');
  return key;
}

function operationOf(store: Replica, principal: Principal, id: string): OperationRecord {
  const record = store.get<OperationRecord>(KEYS.operation(id))?.value;
  if (record === undefined || !mayUse(principal, record.projectId)) {
    throw new CloudError(
      'InvalidOperationID.NotFound',
      `OperationId: there is no operation ${id}; see "novactl op list"`,
      {
        details: { parameter: 'OperationId' },
      },
    );
  }
  return record;
}

export const watchOperation: StreamHandler<'WatchOperation'> = async function* ({ cloud, principal }, input, signal) {
  const { store } = cloud;
  const key = KEYS.operation(input.OperationId);
  const changes = new ChangeQueue(store, key, signal);
  try {
    for (let first = true; first || (await changes.next()); first = false) {
      const record = operationOf(store, principal, input.OperationId);
      yield { operation: view(record) };
      if (record.status !== 'running') return;
    }
  } finally {
    changes.close();
  }
};

function view(record: OperationRecord): View {
  const { v: _v, id, targets, pending, steps, ...rest } = record;
  return { ...rest, operationId: id, targets: [...targets], pending: [...pending], steps: [...steps] };
}
