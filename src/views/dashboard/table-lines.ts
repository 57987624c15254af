import { cutText, padText, plainLine, textWidth } from '../text.ts';
import { line, type Line, type Segment } from './line.ts';
import { LIST_KINDS, type ListColumn, type Row } from './rows.ts';
import type { ListName } from './state.ts';

const GAP = '  ';
/** Cells that a column keeps when it is cut. */
const LEAST = 8;
/** With fewer cells than this for a column, another goes. */
const WISHED = 14;
/** Stands before the selected row, so that it is seen without colour too. */
const MARK = '>';

interface Layout {
  /** Indexes of the columns shown. */
  readonly shown: readonly number[];
  readonly widths: readonly number[];
}

const total = (widths: readonly number[]): number =>
  widths.reduce((sum, width) => sum + width, 0) + GAP.length * Math.max(0, widths.length - 1);

/** The widest columns that may be cut give way, then whole columns go. */
function fit(
  columns: readonly ListColumn[],
  natural: readonly number[],
  drop: readonly number[],
  width: number,
): Layout {
  let shown = columns.map((_, index) => index);
  for (const gone of [-1, ...drop]) {
    shown = shown.filter((index) => index !== gone);
    const least = shown.map((index) => leastOf(columns[index], natural[index] ?? 0));
    if (total(least) <= width) break;
  }
  const widths = shown.map((index) => natural[index] ?? 0);
  while (total(widths) > width) {
    let widest = -1;
    shown.forEach((index, at) => {
      const item = widths[at] ?? 0;
      if (columns[index]?.fixed !== true && item > LEAST && item > (widths[widest] ?? 0)) widest = at;
    });
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return { shown, widths };
}

const leastOf = (column: ListColumn | undefined, natural: number): number =>
  column?.fixed === true ? natural : Math.min(natural, WISHED);

export interface Window {
  /** Rows that are seen. */
  readonly rows: readonly Row[];
  readonly selected: string | undefined;
  readonly width: number;
  readonly nowMs: number;
  readonly cutMark: string;
}

/** A title and the rows of the window; nothing is computed for rows that are not seen. */
export function tableLines(list: ListName, window: Window): readonly Line[] {
  const { columns, drop } = LIST_KINDS[list];
  const cells = window.rows.map((row) => columns.map((_, index) => plainLine(row.cell(index, window.nowMs))));
  const natural = columns.map((column, index) =>
    Math.max(textWidth(column.title), ...cells.map((row) => textWidth(row[index] ?? ''))),
  );
  const layout = fit(columns, natural, drop, window.width - 2);
  const place = (texts: readonly string[], paint?: (index: number) => Segment['paint']): Segment[] =>
    layout.shown.flatMap((index, at) => {
      const width = layout.widths[at] ?? 0;
      const text = padText(cutText(texts[index] ?? '', width, window.cutMark), width, columns[index]?.right === true);
      return [...(at === 0 ? [] : [{ text: GAP }]), { text, paint: paint?.(index) }];
    });
  const title = place(columns.map((column) => column.title)).map((segment) => ({ ...segment, paint: 'bold' as const }));
  const body = window.rows.map((row, at) => {
    const selected = row.id === window.selected;
    const segments = place(cells[at] ?? [], (index) => row.paint(index));
    return { segments: [{ text: selected ? `${MARK} ` : '  ' }, ...segments], selected };
  });
  return [line('  ', ...title), ...body];
}
