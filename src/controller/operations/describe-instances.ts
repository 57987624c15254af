import { CloudError } from '../../base/errors.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { InstanceView } from '../instances/instance-view.ts';
import { instanceView } from '../instances/instance-view.ts';
import { matchesFilters, requireFilters } from './filters.ts';
import type { ReadContext, ReadHandler } from './handler.ts';
import { mayUse } from './handler.ts';
import { pageOf } from './pages.ts';
import { instanceOf } from './instance-lookup.ts';

const PAGE_DEFAULT = 1000;

/** What filters may name, and the text that is compared. Names as EC2's. */
const FILTER_FIELDS: Readonly<Record<string, (view: InstanceView) => string | undefined>> = {
  'instance-id': (view) => view.instanceId,
  'instance-state-name': (view) => view.state,
  'instance-type': (view) => view.instanceType,
  'image-id': (view) => view.imageId,
  'key-name': (view) => view.keyName,
  'private-ip-address': (view) => view.privateIpAddress,
  'reservation-id': (view) => view.reservationId,
  'availability-zone': (view) => view.availabilityZone,
  'tag:Name': (view) => view.name,
  host: (view) => view.hostName,
};

export const describeInstances: ReadHandler<'DescribeInstances'> = (context, input) => {
  requireFilters(input.Filters ?? [], FILTER_FIELDS);
  if (input.InstanceIds !== undefined) {
    return { instances: named(context, input, input.InstanceIds), rev: context.cloud.store.rev };
  }
  const { store, policy } = context.cloud;
  const ask = { limit: input.MaxResults ?? PAGE_DEFAULT, token: input.NextToken };
  const { rows, nextToken } = pageOf<InstanceRecord, InstanceView>(store, PREFIX.instance, ask, ({ value, rev }) => {
    if (!mayUse(context.principal, value.projectId)) return undefined;
    const row = instanceView(store, value, rev, policy.domain);
    return wanted(row, input) ? row : undefined;
  });
  return { instances: rows, rev: store.rev, ...(nextToken === undefined ? {} : { nextToken }) };
};

/** Those that were asked for by id, each once; one that is not there is an error. */
function named(context: ReadContext, input: Parameters<typeof describeInstances>[1], ids: string[]): InstanceView[] {
  const { store } = context.cloud;
  if (input.MaxResults !== undefined || input.NextToken !== undefined) {
    throw new CloudError('InvalidParameterCombination', 'MaxResults: pages and InstanceIds do not go together');
  }
  return [...new Set(ids)].flatMap((id) => {
    instanceOf((key) => store.get<InstanceRecord>(key)?.value, context.principal, id);
    const row = viewOf(context, id);
    return row !== undefined && wanted(row, input) ? [row] : [];
  });
}

function wanted(view: InstanceView, input: Parameters<typeof describeInstances>[1]): boolean {
  if (input.HideTerminated === true && view.state === 'terminated') return false;
  return matchesFilters(view, input.Filters ?? [], FILTER_FIELDS);
}

export function viewOf({ cloud }: ReadContext, id: string): InstanceView | undefined {
  const entry = cloud.store.get<InstanceRecord>(KEYS.instance(id));
  return entry === undefined ? undefined : instanceView(cloud.store, entry.value, entry.rev, cloud.policy.domain);
}
