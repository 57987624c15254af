import { badParameter } from './handler.ts';

export interface Filter {
  readonly Name: string;
  readonly Values: readonly string[];
}

/** What a filter compares: one text, or several of which one must match. */
export type FilterFields<V> = Readonly<Record<string, (view: V) => string | readonly string[] | undefined>>;

type TagsOf<V> = (view: V) => Readonly<Record<string, string>>;

const isTagFilter = (name: string): boolean => name.startsWith('tag:') || name === 'tag-key' || name === 'tag-value';

/** An unknown filter name is refused with the names there are, also where there is nothing to filter. */
export function requireFilters(
  filters: readonly Filter[],
  fields: Readonly<Record<string, unknown>>,
  hasTags = false,
): void {
  const unknown = filters.find(({ Name }) => !Object.hasOwn(fields, Name) && !(hasTags && isTagFilter(Name)));
  if (unknown === undefined) return;
  const names = [...Object.keys(fields), ...(hasTags ? ['tag:KEY', 'tag-key', 'tag-value'] : [])].join(', ');
  throw badParameter('Filters', `there is no filter ${JSON.stringify(unknown.Name)}; there are: ${names}`);
}

/**
 * EC2's filters: values of one filter are alternatives, filters are all required; `*` and `?` are wildcards, `\` takes their
 * meaning away. A name that is not in `fields`, nor about tags where there are some, matches nothing.
 */
export function matchesFilters<V>(
  view: V,
  filters: readonly Filter[],
  fields: FilterFields<V>,
  tagsOf?: TagsOf<V>,
): boolean {
  return filters.every(({ Name, Values }) => {
    const found = Object.hasOwn(fields, Name) ? fields[Name]?.(view) : tagsOf && tagTexts(Name, tagsOf(view));
    const texts = typeof found === 'string' ? [found] : (found ?? []);
    return texts.some((text) => Values.some((value) => wildcardMatch(value, text)));
  });
}

function tagTexts(name: string, tags: Readonly<Record<string, string>>): readonly string[] {
  if (name === 'tag-key') return Object.keys(tags);
  if (name === 'tag-value') return Object.values(tags);
  const value = Object.hasOwn(tags, name.slice('tag:'.length)) ? tags[name.slice('tag:'.length)] : undefined;
  return name.startsWith('tag:') && value !== undefined ? [value] : [];
}

/** Linear in the text for each star; no regular expression is built from what a user wrote. */
export function wildcardMatch(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    const c = pattern[p];
    const escaped = c === '\\' && p + 1 < pattern.length;
    if (c === '*') {
      star = p;
      mark = t;
      p += 1;
    } else if (c !== undefined && (c === '?' || (escaped ? pattern[p + 1] === text[t] : c === text[t]))) {
      p += escaped ? 2 : 1;
      t += 1;
    } else if (star >= 0) {
      p = star + 1;
      mark += 1;
      t = mark;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}
