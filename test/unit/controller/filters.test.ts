import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesFilters, requireFilters, wildcardMatch } from '../../../src/controller/operations/filters.ts';

/** The meaning of a pattern, written as simply as can be: slow, and right. */
function means(pattern: string, text: string): boolean {
  const [first = '', ...rest] = pattern;
  if (pattern === '') return text === '';
  if (first === '*') {
    return Array.from({ length: text.length + 1 }, (_, from) => text.slice(from)).some((tail) =>
      means(pattern.slice(1), tail),
    );
  }
  if (text === '') return false;
  if (first === '?') return means(pattern.slice(1), text.slice(1));
  const escaped = first === '\\' && rest.length > 0;
  const [wanted, left] = escaped ? [pattern[1], pattern.slice(2)] : [first, pattern.slice(1)];
  return wanted === text[0] && means(left, text.slice(1));
}

describe('wildcards', () => {
  it.each([
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['web-*', 'web-1', true],
    ['web-*', 'web', false],
    ['*.large', 'm1.large', true],
    ['m?.large', 'm1.large', true],
    ['m?.large', 'm10.large', false],
    ['a*b*c', 'aXbYbZc', true],
    ['a*b*c', 'aXbYbZ', false],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['\\?x', '?x', true],
    ['\\\\', '\\', true],
    ['end\\', 'end\\', true],
    ['Web', 'web', false],
  ])('%s on %j: %s', (pattern, text, matches) => {
    expect(wildcardMatch(pattern, text)).toBe(matches);
  });

  it('mean what they mean, for any pattern and text', () => {
    const letters = (alphabet: string, maxLength: number) =>
      fc.string({ unit: fc.constantFrom(...alphabet), maxLength });
    fc.assert(
      fc.property(letters('ab*?\\', 8), letters('ab*?\\', 10), (pattern, text) => {
        expect(wildcardMatch(pattern, text)).toBe(means(pattern, text));
      }),
      { numRuns: 5000 },
    );
  });

  it('that are made to be slow are not', () => {
    const began = performance.now();
    expect(wildcardMatch(`${'*a'.repeat(120)}b`, 'a'.repeat(255))).toBe(false);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

describe('filters', () => {
  const fields = {
    size: (row: { size?: string; name: string }) => row.size,
    name: (row: { name: string }) => row.name,
  };
  const row = { size: 'large', name: 'web-1' };

  it('are all required, the values of one are alternatives', () => {
    expect(matchesFilters(row, [], fields)).toBe(true);
    expect(matchesFilters(row, [{ Name: 'size', Values: ['small', 'large'] }], fields)).toBe(true);
    const both = [
      { Name: 'size', Values: ['large'] },
      { Name: 'name', Values: ['db-*'] },
    ];
    expect(matchesFilters(row, both, fields)).toBe(false);
  });

  it('on what a row has not match nothing, not even a star', () => {
    expect(matchesFilters({ name: 'x' }, [{ Name: 'size', Values: ['*'] }], fields)).toBe(false);
  });

  it('of names that there are not are refused with those that there are', () => {
    for (const Name of ['colour', 'toString', '__proto__']) {
      expect(() => requireFilters([{ Name, Values: ['x'] }], fields)).toThrow(
        `Filters: there is no filter "${Name}"; there are: size, name`,
      );
    }
    expect(() => requireFilters([{ Name: 'size', Values: ['x'] }], fields)).not.toThrow();
  });
});
