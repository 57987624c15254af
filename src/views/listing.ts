import { CloudError } from '../base/errors.ts';
import { nearest } from '../base/nearest.ts';
import { withIsoTimes } from './moments.ts';
import type { Paint } from './paint.ts';
import { renderDetails, renderTable, type Cell, type TableOptions } from './table.ts';

export const FORMATS = ['table', 'wide', 'json', 'yaml', 'csv', 'name'] as const;
export type Format = (typeof FORMATS)[number];

export interface Column<T> {
  /** What --columns and --filter call it; the title is this in capitals. */
  readonly name: string;
  /** Shown by --output wide and csv, and where --columns names it. */
  readonly wide?: boolean;
  readonly right?: boolean;
  readonly fixed?: boolean;
  text(row: T, nowMs: number): string;
  paint?(row: T): Paint | undefined;
  /** For csv where the text is not what a program wants (an age): another title and value. */
  readonly raw?: { readonly name: string; text(row: T): string };
}

/** Things of one kind, ready to be shown in any format. */
export interface Listing<T> {
  readonly columns: readonly Column<T>[];
  readonly rows: readonly T[];
  /** What --output name prints of a row. */
  id(row: T): string;
  /** The json and yaml of these rows. */
  data(rows: readonly T[]): unknown;
  /** Said on stderr when there is none, with what to do about it. */
  readonly empty: string;
}

/** One thing. */
export interface Details<T> extends Listing<T> {
  readonly fields: readonly (readonly [string, Cell])[];
  /** Printed below the fields, as it is. */
  readonly below?: string;
}

export interface RenderOptions extends TableOptions {
  readonly format: Format;
  /** Names of columns in the order wanted. */
  readonly columns?: readonly string[] | undefined;
  readonly nowMs: number;
  /** YAML text of a value; a parameter, so that its library is loaded by those who need it. */
  readonly yaml: (value: unknown) => string;
}

export function columnsNamed<T>(all: readonly Column<T>[], names: readonly string[], flag: string): Column<T>[] {
  return names.map((name) => {
    const found = all.find((column) => column.name === name);
    if (found !== undefined) return found;
    const known = all.map((column) => column.name);
    const near = nearest(name, known);
    const hint = near === undefined ? '' : `; did you mean ${near}?`;
    throw new CloudError('InvalidParameterValue', `${flag}: no column ${name}${hint} (there is ${known.join(', ')})`);
  });
}

const csvField = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

/** RFC 4180, but lines end in LF alone. */
function renderCsv<T>(columns: readonly Column<T>[], rows: readonly T[], nowMs: number): string {
  const lines = [
    columns.map((column) => column.raw?.name ?? column.name),
    ...rows.map((row) => columns.map((column) => column.raw?.text(row) ?? column.text(row, nowMs))),
  ];
  return lines.map((line) => `${line.map(csvField).join(',')}\n`).join('');
}

function chosen<T>(listing: Listing<T>, options: RenderOptions): readonly Column<T>[] {
  if (options.columns !== undefined) return columnsNamed(listing.columns, options.columns, '--columns');
  return options.format === 'table' ? listing.columns.filter((column) => column.wide !== true) : listing.columns;
}

function cells<T>(columns: readonly Column<T>[], row: T, nowMs: number): Cell[] {
  return columns.map((column) => ({ text: column.text(row, nowMs), paint: column.paint?.(row) }));
}

function renderRows<T>(listing: Listing<T>, options: RenderOptions): string {
  const columns = chosen(listing, options);
  if (listing.rows.length === 0) return '';
  return renderTable(
    columns.map((column) => ({ title: column.name, right: column.right === true, fixed: column.fixed === true })),
    listing.rows.map((row) => cells(columns, row, options.nowMs)),
    options,
  );
}

const RENDERERS: Readonly<Record<Format, <T>(listing: Listing<T>, options: RenderOptions) => string>> = {
  table: renderRows,
  wide: renderRows,
  csv: (listing, options) => renderCsv(chosen(listing, options), listing.rows, options.nowMs),
  json: (listing) => `${JSON.stringify(withIsoTimes(listing.data(listing.rows)), null, 2)}\n`,
  yaml: (listing, options) => options.yaml(withIsoTimes(listing.data(listing.rows))),
  name: (listing) => listing.rows.map((row) => `${listing.id(row)}\n`).join(''),
};

export function renderListing<T>(listing: Listing<T>, options: RenderOptions): string {
  return RENDERERS[options.format](listing, options);
}

/** As a listing of one, but people get a line for each field. */
export function renderOne<T>(details: Details<T>, options: RenderOptions): string {
  const forPeople = (options.format === 'table' || options.format === 'wide') && options.columns === undefined;
  return forPeople ? renderDetails(details.fields, options) + (details.below ?? '') : renderListing(details, options);
}
