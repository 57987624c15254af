import type { Column, Listing } from './listing.ts';

interface ConfigRow {
  readonly key: string;
  readonly value: unknown;
  readonly origin: string;
}

const text = (value: unknown): string => (Array.isArray(value) ? value.join(',') : String(value));

const columns = (origin: boolean): readonly Column<ConfigRow>[] => [
  { name: 'key', fixed: true, text: (row) => row.key },
  { name: 'value', text: (row) => text(row.value) },
  { name: 'origin', wide: !origin, text: (row) => row.origin },
];

/** Every key with its value and where that is from; json and yaml are the configuration itself, or the rows when origins are wanted. */
export function configListing(
  config: Readonly<Record<string, unknown>>,
  origins: Readonly<Record<string, string>>,
  origin: boolean,
): Listing<ConfigRow> {
  const rows = Object.entries(origins).map(([key, from]): ConfigRow => {
    const value = key.split('.').reduce<unknown>((tree, name) => (tree as Record<string, unknown>)[name], config);
    return { key, value, origin: from };
  });
  return {
    columns: columns(origin),
    rows,
    id: (row) => row.key,
    data: (kept) =>
      origin
        ? Object.fromEntries(kept.map(({ key, ...rest }) => [key, rest]))
        : kept.length === rows.length
          ? config
          : Object.fromEntries(kept.map(({ key, value }) => [key, value])),
    empty: '',
  };
}
