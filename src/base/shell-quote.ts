import { CloudError } from './errors.ts';

/** What no POSIX shell gives a meaning to, in any place of a word. */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

/** Words that a shell (sh, dash, bash, ksh) would take as syntax when they stand first. */
const RESERVED = new Set(
  'if then elif else fi do done case esac while until for in function select time coproc'.split(' '),
);

function quoted(word: string, index: number): string {
  if (word.includes('\0')) {
    throw new CloudError('InvalidParameterValue', `argument ${index} of a command holds a NUL character`);
  }
  const first = index === 0;
  if (PLAIN.test(word) && !(first && (word.includes('=') || RESERVED.has(word)))) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * One line that a POSIX shell splits into exactly these words (XCU 2.2). The only way for an argv to pass a shell.
 * CloudError 'InvalidParameterValue' for a word with NUL, which no argv can carry.
 */
export function quoteArgv(argv: readonly string[]): string {
  return argv.map(quoted).join(' ');
}

/** The same for one word that is not the first of its line. */
export function quoteWord(word: string): string {
  return quoted(word, 1);
}
