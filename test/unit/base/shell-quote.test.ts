import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quoteArgv, quoteWord } from '../../../src/base/shell-quote.ts';

const word = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.constantFrom(...'\'"\\$`!#&|;<>(){}[]*?~=%^ \t\n-aZ0') }),
  fc.constantFrom('', '-n', '--', '=', '~', 'if', '\\', "'", "''", '\r\n', '$(id)', '\u00a0'),
);
const words = fc.array(
  word.map((text) => text.replaceAll('\0', '')),
  { maxLength: 8 },
);

/** The words that a shell makes of each line, got by a program that prints them, each with a mark before it. One process for all lines. */
function splitBy(shell: string, lines: readonly (readonly string[])[]): string[][] {
  // No word holds a NUL, and each begins with its mark: two NULs end a line.
  const script = lines.map((words) => `${quoteArgv(['printf', 'w%s\\0', '', ...words])}\nprintf '\\0'\n`).join('');
  const output = execFileSync(shell, ['-c', script], { encoding: 'utf8' });
  return output.split('\0\0').map((line) =>
    line
      .split('\0')
      .map((text) => text.slice(1))
      .slice(1),
  );
}

describe('quoteArgv', () => {
  it.each([
    [['ls', '-l', '/a/b_c.d'], 'ls -l /a/b_c.d'],
    [['a b', ''], "'a b' ''"],
    [["it's"], "'it'\\''s'"],
    [['env', 'A=b'], 'env A=b'],
    [['A=b'], "'A=b'"],
    [['if', 'if'], "'if' if"],
    [['~', '*', '$x'], "'~' '*' '$x'"],
    [[], ''],
  ])('%j is %s', (argv, line) => {
    expect(quoteArgv(argv)).toBe(line);
  });

  it('quotes one word as it would stand behind others', () => {
    expect(["it's", '', 'if', 'A=b', '/var/lib/x'].map(quoteWord)).toEqual([
      "'it'\\''s'",
      "''",
      'if',
      'A=b',
      '/var/lib/x',
    ]);
    expect(() => quoteWord('b\0')).toThrowError(expect.objectContaining({ code: 'InvalidParameterValue' }));
  });

  it('refuses NUL', () => {
    expect(() => quoteArgv(['a', 'b\0'])).toThrowError(expect.objectContaining({ code: 'InvalidParameterValue' }));
  });

  it.for(['sh', 'bash'])('%s takes any words back apart [real]', (shell, context) => {
    if (!existsSync(`/bin/${shell}`)) context.skip(`no /bin/${shell}`);
    fc.assert(
      fc.property(fc.array(words, { minLength: 10, maxLength: 10 }), (lines) => {
        expect(splitBy(shell, lines)).toEqual([...lines, []]);
      }),
      { numRuns: 12 },
    );
  });

  it('a first word is never syntax [real]', () => {
    const first = ['if', 'for', '{', '!', 'A=b', 'case', 'time', 'function', '[[', 'coproc', 'select', '}', 'esac'];
    for (const name of first) {
      const script = `${quoteArgv([name])} 2>/dev/null; echo "$?"`;
      const options = { encoding: 'utf8', env: { PATH: '/nonexistent' } } as const;
      expect([name, execFileSync('/bin/bash', ['-c', script], options)]).toEqual([name, '127\n']);
    }
  });
});
