import { CloudError } from '../../base/errors.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { InstanceView } from '../instances/instance-view.ts';
import { instanceView } from '../instances/instance-view.ts';
import { matchesFilters, requireFilters } from './filters.ts';
import type { ReadContext, ReadHandler } from './handler.ts';
import { badParameter, mayUse } from './handler.ts';
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
  if (input.InstanceIds !== undefined)
    return { instances: named(context, input, input.InstanceIds), rev: rev(context) };
  const { store, policy } = context.cloud;
  const limit = input.MaxResults ?? PAGE_DEFAULT;
  const instances: InstanceView[] = [];
  let after = pageStart(input.NextToken);
  for (;;) {
    const entries = store.range<InstanceRecord>(PREFIX.instance, { ...(after === undefined ? {} : { after }), limit });
    for (const entry of entries) {
      after = entry.key;
      if (!mayUse(context.principal, entry.value.projectId)) continue;
      const row = instanceView(store, entry.value, entry.rev, policy.domain);
      if (wanted(row, input)) instances.push(row);
      if (instances.length >= limit) break;
    }
    if (instances.length >= limit) break;
    if (entries.length < limit) return { instances, rev: rev(context) };
  }
  const more = after !== undefined && store.range(PREFIX.instance, { after, limit: 1 }).length > 0;
  return { instances, rev: rev(context), ...(more && after !== undefined ? { nextToken: pageToken(after) } : {}) };
};

const rev = ({ cloud }: ReadContext): number => cloud.store.rev;

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

/** The cursor is the last key: pages stay stable while other instances come and go. */
function pageToken(key: string): string {
  return Buffer.from(key).toString('base64url');
}

function pageStart(token: string | undefined): string | undefined {
  if (token === undefined) return undefined;
  const key = Buffer.from(token, 'base64url').toString();
  if (!key.startsWith(PREFIX.instance)) throw badParameter('NextToken', 'is not a token that this cloud gave out');
  return key;
}

export function viewOf({ cloud }: ReadContext, id: string): InstanceView | undefined {
  const entry = cloud.store.get<InstanceRecord>(KEYS.instance(id));
  return entry === undefined ? undefined : instanceView(cloud.store, entry.value, entry.rev, cloud.policy.domain);
}
