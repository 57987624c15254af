const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const DOUBLE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]$|^\p{Emoji_Presentation}$/u;
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

const charWidth = (char: string): number => (ZERO.test(char) ? 0 : DOUBLE.test(char) ? 2 : 1);

/** Cells that a line takes on a terminal (UAX #11; combining marks none, wide letters and emoji two). */
export function textWidth(text: string): number {
  if (PRINTABLE_ASCII.test(text)) return text.length;
  let width = 0;
  for (const char of text) width += charWidth(char);
  return width;
}

/** At most `width` cells, the last of them a mark when something was cut. */
export function cutText(text: string, width: number, mark: string): string {
  if (textWidth(text) <= width) return text;
  let out = '';
  let used = textWidth(mark);
  for (const char of text) {
    used += charWidth(char);
    if (used > width) break;
    out += char;
  }
  return out + mark;
}

export function padText(text: string, width: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, width - textWidth(text)));
  return right ? space + text : text + space;
}

/** One line without control characters: what others wrote must not steer the terminal. */
export function plainLine(text: string): string {
  return PRINTABLE_ASCII.test(text) ? text : text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
}

/** What steers a terminal, as ECMA-48 has it: CSI with its parameters, OSC up to its end, and the short ones. */
const SEQUENCE = new RegExp(
  ['\\[[0-?]*[ -/]*[@-~]', '\\][^\u0007\u001b]*(?:\u0007|\u001b\\\\)', '[ -/]*[0-Z\\\\^-~]']
    .map((rest) => `\u001b${rest}`)
    .join('|'),
  'g',
);

/** As plainLine, but lines and tabs stay, and sequences go whole; for the console logs of guests. */
export function plainText(text: string): string {
  return text.replaceAll(SEQUENCE, '').replaceAll(/\p{Cc}/gu, (char) => (char === '\n' || char === '\t' ? char : ''));
}
