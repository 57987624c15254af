import { paint, type Paint } from '../paint.ts';
import { cutText, padText, plainLine, textWidth } from '../text.ts';

/** A piece of a line in one style. */
export interface Segment {
  readonly text: string;
  readonly paint?: Paint | undefined;
}

/** One line of the screen. */
export interface Line {
  readonly segments: readonly Segment[];
  /** The selected row: shown the other way round, or by its mark alone where there is no style. */
  readonly selected?: boolean;
}

export interface LineStyle {
  readonly color: boolean;
  readonly cutMark: string;
}

export function line(...parts: readonly (string | Segment)[]): Line {
  return { segments: parts.map((part) => (typeof part === 'string' ? { text: part } : part)) };
}

/** Left and right on one line of so many cells; the left gives way. */
export function between(left: readonly Segment[], right: readonly Segment[], width: number, cutMark: string): Line {
  const rightWidth = textWidth(right.map(({ text }) => text).join(''));
  const cut = cutLine({ segments: left }, Math.max(0, width - rightWidth - 1), cutMark);
  const used = textWidth(cut.segments.map(({ text }) => text).join(''));
  return { segments: [...cut.segments, { text: ' '.repeat(Math.max(0, width - used - rightWidth)) }, ...right] };
}

/** At most `width` cells of it, and nothing in it that steers a terminal. */
function cutLine(whole: Line, width: number, cutMark: string): Line {
  const segments: Segment[] = [];
  let left = width;
  for (const segment of whole.segments) {
    if (left <= 0) break;
    const text = cutText(plainSegment(segment.text), left, left < textWidth(cutMark) ? '' : cutMark);
    left -= textWidth(text);
    segments.push({ ...segment, text });
  }
  return { ...whole, segments };
}

const plainSegment = (text: string): string => (/\p{Cc}/u.test(text) ? plainLine(text) : text);

const INVERSE = '\x1b[7m';
const RESET = '\x1b[0m';

/** The line as a terminal takes it, `width` cells at most. */
export function lineText(whole: Line, width: number, style: LineStyle): string {
  const { segments } = cutLine(whole, width, style.cutMark);
  if (whole.selected === true && style.color) {
    const text = segments.map((segment) => segment.text).join('');
    return `${INVERSE}${padText(text, width, false)}${RESET}`;
  }
  return segments.map((segment) => paint(segment.text, segment.paint, style.color)).join('');
}
