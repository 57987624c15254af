import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { nearest } from '../../../src/base/nearest.ts';
import { OPERATIONS } from '../../../src/messages/operations/index.ts';
import { MOMENTS, withIsoTimes } from '../../../src/views/moments.ts';
import { cutMark } from '../../../src/views/paint.ts';
import { progressText } from '../../../src/views/progress.ts';
import { renderTable } from '../../../src/views/table.ts';
import { cutText, plainLine, plainText, textWidth } from '../../../src/views/text.ts';

/** Names of all fields that end in Ms in what an operation answers. */
function msFields(schema: unknown, found = new Set<string>()): Set<string> {
  const def = (schema as z.ZodType | undefined)?._zod.def as unknown as Record<string, unknown> | undefined;
  if (def === undefined) return found;
  for (const [name, inner] of Object.entries((def['shape'] ?? {}) as object)) {
    if (name.endsWith('Ms')) found.add(name);
    msFields(inner, found);
  }
  for (const inner of [def['innerType'], def['element'], def['valueType'], ...((def['options'] ?? []) as unknown[])]) {
    if (inner !== undefined) msFields(inner, found);
  }
  return found;
}

describe('times', () => {
  it('knows of every field of every answer whether it is a moment', () => {
    const fields = Object.values(OPERATIONS).reduce((found, { output }) => msFields(output, found), new Set<string>());
    expect(fields).toContain('launchTimeMs');
    const durations = [...fields].filter((name) => !MOMENTS.has(name));
    expect(durations).toEqual(['staleMs', 'tookMs']);
    // Objects are told by S3, which is no operation.
    expect([...MOMENTS].filter((name) => !fields.has(name))).toEqual(['modifiedAtMs']);
  });

  it('become ISO at any depth, and durations stay', () => {
    expect(withIsoTimes({ a: [{ atMs: 0, tookMs: 5 }], atMs: 'x', n: null })).toEqual({
      a: [{ at: '1970-01-01T00:00:00.000Z', tookMs: 5 }],
      atMs: 'x',
      n: null,
    });
  });
});

describe('text', () => {
  it.each([
    ['plain', 5],
    ['würfel', 6],
    ['e\u0301', 1],
    ['漢字', 4],
    ['👍', 2],
    ['', 0],
  ])('%s takes %i cells', (text, width) => {
    expect(textWidth(text)).toBe(width);
  });

  it('is cut at whole letters, with a mark', () => {
    expect(cutText('漢字漢字', 8, '~')).toBe('漢字漢字');
    expect(cutText('漢字漢字', 7, '~')).toBe('漢字漢~');
    expect(cutText('abcdef', 4, '…')).toBe('abc…');
    expect([cutMark({ LANG: 'C' }), cutMark({ LANG: 'C', LC_ALL: 'de_DE.UTF-8' })]).toEqual(['~', '…']);
  });

  it('of others steers no terminal', () => {
    expect(plainLine('a\u001b[2Jb\r\nc\u009bd')).toBe('a [2Jb c d');
    expect(plainText('a\u001b[2Jb\r\n\tc\u001b[1;31md\u001b]0;title\u0007e\u001b(Bf\u001b7g')).toBe('ab\n\tcdefg');
  });
});

describe('a table', () => {
  it('aligns what is wide and pads nothing at the end', () => {
    const columns = [
      { title: 'a', right: false, fixed: true },
      { title: 'n', right: true, fixed: false },
      { title: 'z', right: false, fixed: false },
    ];
    const rows = [
      [{ text: '漢字' }, { text: '1' }, { text: 'x' }],
      [{ text: 'b' }, { text: '1000' }, { text: '' }],
    ];
    const text = renderTable(columns, rows, { width: undefined, color: false, cutMark: '~' });
    expect(text).toBe('A        N  Z\n漢字     1  x\nb     1000\n');
  });
});

describe('a bar', () => {
  const at = (sentBytes: number, sizeBytes: number | undefined, width = 80) =>
    progressText({ label: 'tiny', sentBytes, sizeBytes, tookMs: 1000, width });

  it('says how far, how fast and how long still', () => {
    expect(at(1_048_576, 4_194_304)).toBe(
      'tiny  [#######-------------------]  25 %  1.0 MiB/4.0 MiB  1.0 MiB/s  3.0s left',
    );
    expect(at(0, 0)).toContain('100 %');
    expect(at(1_048_576, undefined)).toBe('tiny  1.0 MiB  1.0 MiB/s');
  });

  it('fits any terminal', () => {
    for (let width = 10; width < 120; width += 1) expect(at(5, 10, width).length).toBeLessThan(width);
  });
});

describe('the nearest word', () => {
  const words = ['instance list', 'image list', 'up', 'status'];

  it.each([
    ['instnce list', 'instance list'],
    ['instance lits', 'instance list'],
    ['stauts', 'status'],
    ['UP', 'up'],
    ['frobnicate', undefined],
    ['x', undefined],
  ])('to %s is %s', (word, wanted) => {
    expect(nearest(word, words)).toBe(wanted);
  });
});
