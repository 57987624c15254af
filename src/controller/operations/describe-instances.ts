import { CloudError } from '../../base/errors.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { Entry, Replica } from '../../ports/store.ts';
import type { InstanceView } from '../instances/instance-view.ts';
import { hostNameOf, instanceView } from '../instances/instance-view.ts';
import type { FilterFields } from './filters.ts';
import { matchesFilters, requireFilters } from './filters.ts';
import type { ReadContext, ReadHandler } from './handler.ts';
import { mayUse } from './handler.ts';
import { pageOf } from './pages.ts';
import { instanceOf } from './instance-lookup.ts';

const PAGE_DEFAULT = 1000;

/** What filters may name, and the text that is compared. Names as EC2's. They read the record: a view of each that does not pass would cost more. */
const filterFields = (replica: Replica): FilterFields<InstanceRecord> => ({
  'instance-id': (record) => record.id,
  'instance-state-name': (record) => record.state,
  'instance-type': (record) => record.typeName,
  'image-id': (record) => record.imageId,
  'key-name': (record) => record.keyName,
  'private-ip-address': (record) => record.nic.address,
  'reservation-id': (record) => record.reservationId,
  'availability-zone': (record) => record.zone,
  'tag:Name': (record) => record.name,
  host: (record) => hostNameOf(replica, record),
});

type Input = Parameters<typeof describeInstances>[1];

export const describeInstances: ReadHandler<'DescribeInstances'> = (context, input) => {
  const { store, policy } = context.cloud;
  const wanted = wantedBy(store, input);
  const view = ({ value, rev }: Entry<InstanceRecord>): InstanceView => instanceView(store, value, rev, policy.domain);
  if (input.InstanceIds !== undefined) {
    const entries = named(context, input, input.InstanceIds).filter(({ value }) => wanted(value));
    return { instances: entries.map(view), rev: store.rev };
  }
  const ask = { limit: input.MaxResults ?? PAGE_DEFAULT, token: input.NextToken };
  const { rows, nextToken } = pageOf<InstanceRecord, InstanceView>(store, PREFIX.instance, ask, (entry) =>
    mayUse(context.principal, entry.value.projectId) && wanted(entry.value) ? view(entry) : undefined,
  );
  return { instances: rows, rev: store.rev, ...(nextToken === undefined ? {} : { nextToken }) };
};

/** Whether a record passes the filters; refuses filters that there are not. */
function wantedBy(replica: Replica, { Filters = [], HideTerminated }: Input): (record: InstanceRecord) => boolean {
  const fields = filterFields(replica);
  requireFilters(Filters, fields);
  return (record) =>
    !(HideTerminated === true && record.state === 'terminated') && matchesFilters(record, Filters, fields);
}

/** Those that were asked for by id, each once; one that is not there is an error. */
function named({ cloud, principal }: ReadContext, input: Input, ids: string[]): Entry<InstanceRecord>[] {
  if (input.MaxResults !== undefined || input.NextToken !== undefined) {
    throw new CloudError('InvalidParameterCombination', 'MaxResults: pages and InstanceIds do not go together');
  }
  return [...new Set(ids)].flatMap((id) => {
    const entry = cloud.store.get<InstanceRecord>(KEYS.instance(id));
    instanceOf(() => entry?.value, principal, id);
    return entry ?? [];
  });
}

export function viewOf({ cloud }: ReadContext, id: string): InstanceView | undefined {
  const entry = cloud.store.get<InstanceRecord>(KEYS.instance(id));
  return entry === undefined ? undefined : instanceView(cloud.store, entry.value, entry.rev, cloud.policy.domain);
}
