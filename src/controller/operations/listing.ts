import type { ErrorCode } from '../../base/error-codes.ts';
import { CloudError } from '../../base/errors.ts';
import type { Tags } from '../tags/resource-tags.ts';
import { type Filter, wildcardMatch } from './filters.ts';
import { badParameter } from './handler.ts';

/** What a filter compares: one text, or several of which one must match. */
export type ListFields<V> = Readonly<Record<string, (row: V) => string | readonly string[] | undefined>>;

export interface Asked {
  readonly ids?: readonly string[] | undefined;
  readonly Filters?: readonly Filter[] | undefined;
  readonly MaxResults?: number | undefined;
  readonly NextToken?: string | undefined;
}

/** How a kind of resource is listed. */
export interface Listing<V> {
  /** The parameter that names rows by id, and the error for one that is not there. */
  readonly parameter: string;
  readonly notFound: ErrorCode;
  readonly idOf: (row: V) => string;
  readonly tagsOf: (row: V) => Tags;
  readonly fields: ListFields<V>;
}

const PAGE_DEFAULT = 1000;

/**
 * The rows that were asked for, by id, EC2's filters (`tag:KEY` and `tag-key` among them) and page. They come in the order of their ids, and the token
 * is the last one, so that pages stay stable while others come and go. An id or a filter that there is not is refused.
 */
export function listed<V>(rows: readonly V[], asked: Asked, listing: Listing<V>): { rows: V[]; nextToken?: string } {
  const { ids, Filters = [], MaxResults = PAGE_DEFAULT, NextToken } = asked;
  const { idOf, fields } = listing;
  requireFields(Filters, fields);
  refuseUnknown(rows, ids, listing);
  const wanted = ids === undefined || ids.length === 0 ? undefined : new Set(ids);
  const after = lastOf(NextToken, listing);
  const found = rows
    .filter((row) => (wanted?.has(idOf(row)) ?? true) && Filters.every((filter) => passes(row, filter, listing)))
    .filter((row) => after === undefined || idOf(row) > after)
    .toSorted((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  const page = found.slice(0, MaxResults);
  const last = page.at(-1);
  if (last === undefined || found.length <= page.length) return { rows: page };
  return { rows: page, nextToken: Buffer.from(`${listing.parameter}/${idOf(last)}`).toString('base64url') };
}

function refuseUnknown<V>(rows: readonly V[], ids: readonly string[] | undefined, listing: Listing<V>): void {
  const known = new Set(rows.map((row) => listing.idOf(row)));
  const unknown = ids?.filter((id) => !known.has(id)) ?? [];
  if (unknown.length > 0) throw notFoundById(listing, unknown);
}

/** Errors that name what was asked for and is not there. */
export function notFoundById(
  { parameter, notFound }: Pick<Listing<unknown>, 'parameter' | 'notFound'>,
  ids: readonly string[],
): CloudError {
  const named = ids.slice(0, 10).map((id) => id.slice(0, 64));
  return new CloudError(notFound, `${parameter}: there is no ${named.join(', ')} in this project`, {
    details: { parameter },
  });
}

/** Filters that every listing takes beside its own fields. */
function tagField(name: string): boolean {
  return name.startsWith('tag:') || name === 'tag-key' || name === 'tag-value';
}

/** A filter that there is not is refused with those that there are. */
export function requireFields(filters: readonly Filter[], fields: Readonly<Record<string, unknown>>): void {
  const unknown = filters.find(({ Name }) => !Object.hasOwn(fields, Name) && !tagField(Name));
  if (unknown === undefined) return;
  const names = [...Object.keys(fields), 'tag:<key>', 'tag-key'].join(', ');
  throw badParameter('Filters', `there is no filter ${JSON.stringify(unknown.Name)}; there are: ${names}`);
}

function passes<V>(row: V, { Name, Values }: Filter, { fields, tagsOf }: Listing<V>): boolean {
  const texts = textsOf(Object.hasOwn(fields, Name) ? fields[Name]?.(row) : tagTexts(Name, tagsOf(row)));
  return texts.some((text) => Values.some((value) => wildcardMatch(value, text)));
}

function textsOf(found: string | readonly string[] | undefined): readonly string[] {
  if (found === undefined) return [];
  return typeof found === 'string' ? [found] : found;
}

function tagTexts(name: string, tags: Tags): string | readonly string[] | undefined {
  if (name === 'tag-key') return Object.keys(tags);
  if (name === 'tag-value') return Object.values(tags);
  const key = name.slice('tag:'.length);
  return Object.hasOwn(tags, key) ? tags[key] : undefined;
}

function lastOf(token: string | undefined, { parameter }: Pick<Listing<unknown>, 'parameter'>): string | undefined {
  if (token === undefined) return undefined;
  const [kind, id] = Buffer.from(token, 'base64url').toString().split('/');
  if (kind !== parameter || id === undefined) {
    throw badParameter('NextToken', 'is not a token that this cloud gave out for this');
  }
  return id;
}
