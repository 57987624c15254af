/** Text for man(7): what roff would take as its own is escaped. ASCII alone, so that every terminal shows it. */
export function text(plain: string): string {
  const ascii = plain.replaceAll('’', "'").replaceAll('…', '...').replaceAll('→', '->');
  return ascii
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .split('\n')
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n');
}

const argument = (plain: string): string => `"${text(plain).replaceAll('"', '\\(dq')}"`;

export const title = (name: string, section: number, version: string): string =>
  `.TH ${argument(name.toUpperCase())} ${section} "" ${argument(`novactl ${version}`)} "novactl manual"\n`;

export const section = (name: string): string => `.SH ${argument(name.toUpperCase())}\n`;
export const subsection = (name: string): string => `.SS ${argument(name)}\n`;
export const paragraph = (plain: string): string => `.PP\n${text(plain)}\n`;
export const bold = (plain: string): string => `\\fB${text(plain)}\\fR`;
export const italic = (plain: string): string => `\\fI${text(plain)}\\fR`;

/** A term and what it means; `head` is roff already. */
export const item = (head: string, body: string): string => `.TP\n${head}\n${text(body)}\n`;

/** Lines as they are, indented. */
export const block = (lines: readonly string[]): string => `.PP\n.RS 4\n.nf\n${lines.map(text).join('\n')}\n.fi\n.RE\n`;

/** `name(1), other(7)`. */
export const seeAlso = (pages: readonly (readonly [string, number])[]): string =>
  `${section('see also')}${pages.map(([name, number]) => `${bold(name)}(${number})`).join(',\n')}\n`;
