import { CloudError } from '../../base/errors.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { OperationRecord } from '../../domain/records.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { Principal, ReadHandler, StreamHandler } from './handler.ts';
import { mayUse } from './handler.ts';
import { pageOf } from './pages.ts';
import { ChangeQueue } from './watch-instances.ts';
import type { Replica } from '../../ports/store.ts';

type View = OperationOutput<'DescribeOperations'>['operations'][number];

const PAGE_DEFAULT = 50;

export const describeOperations: ReadHandler<'DescribeOperations'> = ({ cloud, principal }, input) => {
  const { store } = cloud;
  if (input.OperationIds !== undefined) {
    return {
      operations: input.OperationIds.map((id) => operationView(operationOf(store, principal, id))),
      rev: store.rev,
    };
  }
  const ask = { limit: input.MaxResults ?? PAGE_DEFAULT, token: input.NextToken };
  const { rows, nextToken } = pageOf<OperationRecord, View>(store, PREFIX.operation, ask, ({ value }) =>
    mayUse(principal, value.projectId) ? operationView(value) : undefined,
  );
  return { operations: rows, rev: store.rev, ...(nextToken === undefined ? {} : { nextToken }) };
};

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
      yield { operation: operationView(record) };
      if (record.status !== 'running') return;
    }
  } finally {
    changes.close();
  }
};

/** The record as a user sees it. */
export function operationView(record: OperationRecord): View {
  const { v: _v, id, targets, pending, steps, ...rest } = record;
  return { ...rest, operationId: id, targets: [...targets], pending: [...pending], steps: [...steps] };
}
