import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { prefixEnd, SortedMap } from '../../../src/base/sorted-map.ts';

/** Short keys over few letters, so that prefixes, neighbours and repeats are common; with the edges of UTF-16. */
const key = fc.string({
  unit: fc.constantFrom('a', 'b', '/', '\u{ffff}', '\u{d800}', '\u{0}', 'é', '😀'),
  maxLength: 4,
});

type Step = { readonly set: string; readonly value: number } | { readonly del: string };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ set: key, value: fc.integer() }) },
  { weight: 1, arbitrary: fc.record({ del: key }) },
);

/** The plain thing that SortedMap must be equal to. */
function model(map: Map<string, number>, prefix: string, after: string | undefined, limit: number): [string, number][] {
  return [...map]
    .filter(([k]) => k.startsWith(prefix) && (after === undefined || k > after))
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .slice(0, limit);
}

function run(steps: readonly Step[]): { sorted: SortedMap<number>; plain: Map<string, number> } {
  const sorted = new SortedMap<number>();
  const plain = new Map<string, number>();
  for (const s of steps) {
    if ('set' in s) {
      sorted.set(s.set, s.value);
      plain.set(s.set, s.value);
    } else {
      expect(sorted.delete(s.del)).toBe(plain.delete(s.del));
    }
  }
  return { sorted, plain };
}

describe('SortedMap', () => {
  it('is a sorted Map, whatever is done to it', () => {
    const query = fc.record({ prefix: key, after: fc.option(key, { nil: undefined }), limit: fc.nat({ max: 10 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), fc.array(query, { maxLength: 5 }), (steps, queries) => {
        const { sorted, plain } = run(steps);
        expect(sorted.size).toBe(plain.size);
        expect([...sorted.entries()]).toEqual(model(plain, '', undefined, Infinity));
        for (const { prefix, after, limit } of queries) {
          const range = { prefix, limit, ...(after === undefined ? {} : { after }) };
          expect([...sorted.entries(range)]).toEqual(model(plain, prefix, after, limit));
          expect(sorted.values(range)).toEqual(model(plain, prefix, after, limit).map(([, value]) => value));
          expect(sorted.count(prefix)).toBe(model(plain, prefix, undefined, Infinity).length);
          expect(sorted.get(prefix)).toBe(plain.get(prefix));
          expect(sorted.has(prefix)).toBe(plain.has(prefix));
        }
      }),
    );
  });

  it('keeps its order through many chunks, in whatever order keys come and go', () => {
    fc.assert(
      fc.property(fc.integer(), fc.constantFrom('up', 'down', 'mixed'), (seed, order) => {
        const numbers = Array.from({ length: 5000 }, (_, i) =>
          order === 'mixed' ? (i * 2_654_435_761 + seed) >>> 0 : i,
        );
        if (order === 'down') numbers.reverse();
        const keys = numbers.map((n) => `k/${String(n).padStart(10, '0')}`);
        const sorted = new SortedMap<number>();
        for (const k of keys) sorted.set(k, k.length);
        const gone = new Set(keys.filter((_, i) => i % 3 !== 0));
        for (const k of gone) sorted.delete(k);
        const left = keys.filter((k) => !gone.has(k)).sort();
        expect(sorted.values({ limit: 1500 })).toEqual(left.slice(0, 1500).map((k) => k.length));
        expect([...sorted.entries()].map(([k]) => k)).toEqual(left);
        expect(sorted.count('k/')).toBe(left.length);
        expect(sorted.count('k/0000')).toBe(left.filter((k) => k.startsWith('k/0000')).length);
      }),
      { numRuns: 12 },
    );
  });

  it('pages with a cursor without gap or repeat while keys come and go', () => {
    const sorted = new SortedMap<number>();
    for (let i = 0; i < 3000; i += 1) sorted.set(`p/${String(i).padStart(5, '0')}`, i);
    const seen: string[] = [];
    let after: string | undefined;
    for (;;) {
      const page = [...sorted.entries({ prefix: 'p/', limit: 100, ...(after === undefined ? {} : { after }) })];
      if (page.length === 0) break;
      seen.push(...page.map(([k]) => k));
      after = seen.at(-1) ?? '';
      sorted.delete(after);
      sorted.set(`p/00000/${seen.length}`, 0);
    }
    expect(seen).toHaveLength(3000);
    expect(new Set(seen).size).toBe(3000);
  });

  it('can be emptied and filled again', () => {
    const { sorted } = run([
      { set: 'a', value: 1 },
      { set: 'b', value: 2 },
    ]);
    sorted.clear();
    expect([sorted.size, sorted.count(''), sorted.values()]).toEqual([0, 0, []]);
    sorted.set('c', 3);
    expect([...sorted.entries()]).toEqual([['c', 3]]);
  });

  it('prefixEnd is the least string above all with the prefix', () => {
    fc.assert(
      fc.property(key, key, (prefix, other) => {
        const end = prefixEnd(prefix);
        expect(
          prefix + other < (end ?? '\u{ffff}\u{ffff}\u{ffff}\u{ffff}\u{ffff}\u{ffff}\u{ffff}\u{ffff}\u{ffff}\u{ffff}'),
        ).toBe(true);
        if (end !== undefined && other >= prefix && !other.startsWith(prefix)) expect(other >= end).toBe(true);
      }),
    );
    expect(prefixEnd('')).toBeUndefined();
    expect(prefixEnd('\u{ffff}')).toBeUndefined();
  });
});
