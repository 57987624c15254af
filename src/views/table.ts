import { paint, type Paint } from './paint.ts';
import { cutText, padText, plainLine, textWidth } from './text.ts';

export interface Cell {
  readonly text: string;
  readonly paint?: Paint | undefined;
}

export interface TableColumn {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly right: boolean;
  /** Never cut: what an administrator copies. */
  readonly fixed: boolean;
}

export interface TableOptions {
  /** Cells to a line; undefined: not a terminal, nothing is cut. */
  readonly width: number | undefined;
  readonly color: boolean;
  readonly cutMark: string;
}

const GAP = 2;
/** Cells that a column keeps when it is cut. */
const LEAST = 4;

/** Column widths; where the table is wider than the terminal the widest columns that may be cut give way. */
function fit(columns: readonly TableColumn[], natural: readonly number[], width: number | undefined): number[] {
  const widths = [...natural];
  if (width === undefined) return widths;
  const total = (): number => widths.reduce((sum, item) => sum + item + GAP, -GAP);
  while (total() > width) {
    let widest = -1;
    columns.forEach((column, index) => {
      const item = widths[index] ?? 0;
      if (!column.fixed && item > LEAST && item > (widths[widest] ?? 0)) widest = index;
    });
    if (widest < 0) return widths;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

/** Aligned lines with a title line, each ended by a newline; the last column is not padded. */
export function renderTable(columns: readonly TableColumn[], rows: readonly Cell[][], options: TableOptions): string {
  const titles: Cell[] = columns.map(({ title }) => ({ text: title.toUpperCase(), paint: 'bold' }));
  const lines = [titles, ...rows].map((row) => row.map((cell) => ({ ...cell, text: plainLine(cell.text) })));
  const natural = columns.map((_, index) => Math.max(...lines.map((row) => textWidth(row[index]?.text ?? ''))));
  const widths = fit(columns, natural, options.width);
  return lines.map((row) => renderLine(columns, row, widths, options)).join('');
}

function renderLine(
  columns: readonly TableColumn[],
  row: readonly Cell[],
  widths: readonly number[],
  options: TableOptions,
): string {
  const cells = row.map((cell, index) => {
    const width = widths[index] ?? 0;
    const text = cutText(cell.text, width, options.cutMark);
    const last = index === row.length - 1 && columns[index]?.right !== true;
    const padded = last ? text : padText(text, width, columns[index]?.right === true);
    return padded.replace(text, () => paint(text, cell.paint, options.color));
  });
  return `${cells.join(' '.repeat(GAP)).trimEnd()}\n`;
}

/** `label  value` lines, for one thing. */
export function renderDetails(fields: readonly (readonly [string, Cell])[], options: TableOptions): string {
  const labelWidth = Math.max(...fields.map(([label]) => textWidth(label)));
  return fields
    .map(([label, cell]) => {
      const text = plainLine(cell.text);
      const line = `${paint(padText(label, labelWidth, false), 'dim', options.color)}  ${paint(text, cell.paint, options.color)}`;
      return `${line.trimEnd()}\n`;
    })
    .join('');
}
