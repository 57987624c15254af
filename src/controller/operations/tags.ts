import { CloudError } from '../../base/errors.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { without } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { TagsRecord } from '../../domain/records.ts';
import type { OperationOutput, OperationParsed } from '../../messages/operations/index.ts';
import type { Draft } from '../state/draft.ts';
import { putTags } from '../tags/resource-tags.ts';
import { type Tagged, taggedResource } from '../tags/tagged-resources.ts';
import { type FilterFields, matchesFilters, requireFilters } from './filters.ts';
import type { ChangeContext, ChangeHandler, ReadHandler } from './handler.ts';
import { badParameter, mayUse } from './handler.ts';

type Row = OperationOutput<'DescribeTags'>['tags'][number];
type Dropped = NonNullable<OperationParsed<'DeleteTags'>['Tags']>;

const PAGE_DEFAULT = 1000;

/** All of them or none: the first id that there is not refuses the call. */
function resources(draft: Draft, { cloud, principal }: ChangeContext, ids: readonly string[]): Tagged[] {
  return [...new Set(ids)].map((id) => taggedResource(draft, cloud, principal, id));
}

export const createTags: ChangeHandler<'CreateTags'> = {
  decide(draft, input, context) {
    if (Object.keys(input.Tags).length === 0) {
      throw new CloudError('MissingParameter', 'Tags: at least one is needed', { details: { parameter: 'Tags' } });
    }
    const found = resources(draft, context, input.ResourceIds);
    for (const resource of found) putTags(draft, resource, input.Tags);
    return { output: { operationId: context.operationId }, targets: found.map(({ resourceId }) => resourceId) };
  },
};

export const deleteTags: ChangeHandler<'DeleteTags'> = {
  decide(draft, input, context) {
    const found = resources(draft, context, input.ResourceIds);
    for (const resource of found) dropSome(draft, resource, input.Tags);
    return { output: { operationId: context.operationId }, targets: found.map(({ resourceId }) => resourceId) };
  },
};

const isDropped = (dropped: Dropped | undefined, key: string, value: string): boolean =>
  dropped === undefined || dropped.some((one) => one.Key === key && (one.Value === undefined || one.Value === value));

function dropSome(draft: Draft, { resourceId, kind }: Tagged, dropped: Dropped | undefined): void {
  const at = KEYS.tags(resourceId);
  const record = draft.get<TagsRecord>(at);
  if (record !== undefined) {
    const left = Object.entries(record.tags).filter(([key, value]) => !isDropped(dropped, key, value));
    if (left.length === 0) draft.del(at);
    else draft.put(at, { ...record, tags: Object.fromEntries(left) } satisfies TagsRecord);
  }
  if (kind !== 'instance') return;
  // Records of before there were tags have the name as a field.
  const key = KEYS.instance(resourceId);
  const instance = draft.get<InstanceRecord>(key);
  if (instance?.name !== undefined && isDropped(dropped, 'Name', instance.name))
    draft.put(key, without(instance, 'name'));
}

const FIELDS: FilterFields<Row> = {
  key: (row) => row.key,
  'resource-id': (row) => row.resourceId,
  'resource-type': (row) => row.resourceType,
  value: (row) => row.value,
};

/** `tag:KEY` is one tag of that key and value; `tag-key` and `tag-value` are other words for key and value. */
const asTags = (row: Row): Record<string, string> => ({ [row.key]: row.value });

export const describeTags: ReadHandler<'DescribeTags'> = ({ cloud, principal }, input) => {
  const { store } = cloud;
  const { Filters = [], MaxResults = PAGE_DEFAULT } = input;
  requireFilters(Filters, FIELDS, true);
  const after = placeOf(input.NextToken);
  const rows = [...rowsOf(store.range<TagsRecord>(PREFIX.tags).map(({ value }) => value)), ...oldNames(store)]
    .filter(({ projectId }) => mayUse(principal, projectId))
    .map(({ row }) => row)
    .filter((row) => matchesFilters(row, Filters, FIELDS, asTags))
    .filter((row) => after === undefined || isBehind(placeIn(row), after))
    .toSorted((a, b) => (isBehind(placeIn(a), placeIn(b)) ? 1 : -1));
  const page = rows.slice(0, MaxResults);
  const last = page.at(-1);
  const more = last !== undefined && rows.length > page.length;
  return { tags: page, rev: store.rev, ...(more ? { nextToken: tokenOf(placeIn(last)) } : {}) };
};

interface OwnedRow {
  readonly projectId: string;
  readonly row: Row;
}

function rowsOf(records: readonly TagsRecord[]): OwnedRow[] {
  return records.flatMap(({ projectId, resourceId, kind, tags }) =>
    Object.entries(tags).map(([key, value]) => ({ projectId, row: { resourceId, resourceType: kind, key, value } })),
  );
}

/** Names of instances that were recorded before there were tags. */
function oldNames(store: Parameters<typeof describeTags>[0]['cloud']['store']): OwnedRow[] {
  return store.range<InstanceRecord>(PREFIX.instance).flatMap(({ value: { id, projectId, name } }) => {
    if (name === undefined || store.get<TagsRecord>(KEYS.tags(id))?.value.tags['Name'] !== undefined) return [];
    return [{ projectId, row: { resourceId: id, resourceType: 'instance', key: 'Name', value: name } }];
  });
}

/** Resource, then key: what pages go by, so that they stay stable while tags come and go. */
type Place = readonly [string, string];

const placeIn = (row: Row): Place => [row.resourceId, row.key];
const isBehind = (a: Place, b: Place): boolean => a[0] > b[0] || (a[0] === b[0] && a[1] > b[1]);
const tokenOf = ([id, key]: Place): string => Buffer.from(`tags/${id}/${key}`).toString('base64url');

function placeOf(token: string | undefined): Place | undefined {
  if (token === undefined) return undefined;
  const [kind, id, ...key] = Buffer.from(token, 'base64url').toString().split('/');
  if (kind !== 'tags' || id === undefined || key.length === 0) {
    throw badParameter('NextToken', 'is not a token that this cloud gave out for tags');
  }
  return [id, key.join('/')];
}
