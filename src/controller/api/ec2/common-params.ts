import type { Params } from './params.ts';
import type { XmlTree } from './xml-tree.ts';

/** `Filter.N.Name` and `Filter.N.Value.M`, `MaxResults`, `NextToken`: what most Describe actions take. */
export function pageParams(params: Params): {
  Filters?: { Name: string; Values: string[] }[];
  MaxResults?: number;
  NextToken?: string;
} {
  const filters = params.structs('Filter').map((filter) => ({
    Name: filter.need('Name'),
    Values: filter.list('Value') ?? filter.list('Values') ?? [],
  }));
  const maxResults = params.int('MaxResults');
  const nextToken = params.text('NextToken');
  return {
    ...(filters.length === 0 ? {} : { Filters: filters }),
    ...(maxResults === undefined ? {} : { MaxResults: maxResults }),
    ...(nextToken === undefined || nextToken === '' ? {} : { NextToken: nextToken }),
  };
}

/** `TagSpecification.N.ResourceType` and `.Tag.M.Key|Value`, by resource type (`instance`, `volume`, `vpc`…). */
export function tagSpecifications(params: Params): Readonly<Record<string, Record<string, string>>> {
  const found: Record<string, Record<string, string>> = {};
  for (const specification of params.structs('TagSpecification')) {
    const type = specification.need('ResourceType');
    const tags = specification.structs('Tag').map((tag) => [tag.need('Key'), tag.text('Value') ?? ''] as const);
    found[type] = { ...found[type], ...Object.fromEntries(tags) };
  }
  return found;
}

/** Tags of one resource as `<tagSet>`. */
export function tagSet(tags: Readonly<Record<string, string>>): XmlTree {
  return Object.entries(tags).map(([key, value]) => ({ key, value }));
}
