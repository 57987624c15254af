import { CloudError } from '../../base/errors.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { Entry } from '../../ports/store.ts';
import type { InstanceView } from '../instances/instance-view.ts';
import { instanceTags, instanceView } from '../instances/instance-view.ts';
import type { ControllerContext } from '../controller-context.ts';
import { matchesFilters, requireFilters } from './filters.ts';
import type { ReadContext, ReadHandler } from './handler.ts';
import { mayUseInstance } from './handler.ts';
import { instanceFilters } from './instance-filters.ts';
import { pageOf } from './pages.ts';
import { instanceOf } from './instance-lookup.ts';

const PAGE_DEFAULT = 1000;

type Input = Parameters<typeof describeInstances>[1];

export const describeInstances: ReadHandler<'DescribeInstances'> = (context, input) => {
  const { cloud } = context;
  const { store } = cloud;
  const wanted = wantedBy(cloud, input);
  const view = ({ value, rev }: Entry<InstanceRecord>): InstanceView => instanceView(cloud, value, rev);
  if (input.InstanceIds !== undefined) {
    const entries = named(context, input, input.InstanceIds).filter(({ value }) => wanted(value));
    return { instances: entries.map(view), rev: store.rev };
  }
  const ask = { limit: input.MaxResults ?? PAGE_DEFAULT, token: input.NextToken };
  const { rows, nextToken } = pageOf<InstanceRecord, InstanceView>(store, PREFIX.instance, ask, (entry) =>
    mayUseInstance(context.principal, entry.value) && wanted(entry.value) ? view(entry) : undefined,
  );
  return { instances: rows, rev: store.rev, ...(nextToken === undefined ? {} : { nextToken }) };
};

/** Whether a record passes the filters; refuses filters that there are not. */
function wantedBy(
  cloud: ControllerContext,
  { Filters = [], HideTerminated }: Input,
): (record: InstanceRecord) => boolean {
  const fields = instanceFilters(cloud);
  requireFilters(Filters, fields, true);
  return (record) =>
    !(HideTerminated === true && record.state === 'terminated') &&
    matchesFilters(record, Filters, fields, (one) => instanceTags(cloud.store, one));
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
  return entry === undefined ? undefined : instanceView(cloud, entry.value, entry.rev);
}
