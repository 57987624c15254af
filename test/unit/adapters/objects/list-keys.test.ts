import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rm } from 'node:fs/promises';
import { foundKeys, rangeOf, takePage, type KeyRange } from '../../../../src/adapters/objects/list-keys.ts';
import type { ListAsked, ObjectStore } from '../../../../src/ports/object-store.ts';
import { bucketSample, plain } from '../../../support/object-samples.ts';
import { newDir, openAt } from './open-objects.ts';

/** Letters that meet often, and some whose order in UTF-16 is not that of their bytes. */
const letter = fc.constantFrom('a', 'b', '/', '/', '.', '\0', 'ä', '\uffff', '\u{10000}', '\u{10ffff}');
const text = (maxLength: number): fc.Arbitrary<string> => fc.string({ unit: letter, maxLength });
const key = fc.string({ unit: letter, minLength: 1, maxLength: 6 });
const delimiter = fc.oneof({ weight: 3, arbitrary: fc.constant('/') }, fc.constant(''), text(2));

interface Entry {
  readonly key: string;
  readonly versionId: string;
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** What a list is to answer, by looking at all there is. Items are keys with their version, or common prefixes. */
function modelList(entries: readonly Entry[], { prefix, delimiter: cut, after }: ListAsked): string[] {
  const items: string[] = [];
  for (const { key: name, versionId } of entries) {
    if (!name.startsWith(prefix)) continue;
    const at = cut === '' ? -1 : name.indexOf(cut, prefix.length);
    const common = at < 0 ? undefined : name.slice(0, at + cut.length);
    const item = common === undefined ? `key ${name} ${versionId}` : `prefix ${common}`;
    const answered =
      common === undefined ? byBytes(name, after) <= 0 : after.startsWith(common) || byBytes(common, after) < 0;
    if (!(after !== '' && answered) && !items.includes(item)) items.push(item);
  }
  return items;
}

interface Page {
  readonly rows: readonly { readonly key: string; readonly versionId: string }[];
  readonly commonPrefixes: readonly string[];
}

/** Rows and prefixes of one page, in the order of keys. */
function itemsOf({ rows, commonPrefixes }: Page): string[] {
  const prefixes = commonPrefixes.map((prefix) => ({ at: prefix, item: `prefix ${prefix}` }));
  const keys = rows.map((row) => ({ at: row.key, item: `key ${row.key} ${row.versionId}` }));
  // Stable: a key's versions stay in their order.
  return [...keys, ...prefixes].sort((a, b) => byBytes(a.at, b.at)).map(({ item }) => item);
}

let store: ObjectStore;
let dir: string;
let made = 0;
beforeAll(async () => {
  dir = await newDir();
  store = await openAt(dir);
});
afterAll(async () => {
  await store.close();
  await rm(dir, { recursive: true });
});

/** A bucket of its own with so many versions of each key; answers them in the order of a list. */
async function bucketOf(keys: readonly string[]): Promise<{ bucket: string; entries: Entry[]; current: Entry[] }> {
  made += 1;
  const bucket = `b${made}`;
  await store.createBucket(bucketSample(bucket, { versioning: 'enabled' }));
  const puts = await Promise.all(keys.map((name) => store.putObject({ ...plain(bucket, name), segments: [] })));
  const entries = puts.toReversed().sort((a, b) => byBytes(a.key, b.key));
  return { bucket, entries, current: entries.filter((entry, index) => entries[index - 1]?.key !== entry.key) };
}

async function allObjects(bucket: string, asked: ListAsked): Promise<string[]> {
  const items: string[] = [];
  let after: string | undefined = asked.after;
  while (after !== undefined) {
    const page: Awaited<ReturnType<ObjectStore['list']>> = await store.list(bucket, { ...asked, after });
    expect(page.rows.length + page.commonPrefixes.length).toBeLessThanOrEqual(asked.max);
    if (page.next !== undefined) expect(page.rows.length + page.commonPrefixes.length).toBe(asked.max);
    items.push(...itemsOf(page));
    after = page.next;
  }
  return items;
}

async function allVersions(bucket: string, asked: ListAsked): Promise<string[]> {
  const items: string[] = [];
  let place: { after: string; afterVersionId?: string } | undefined = { after: asked.after };
  while (place !== undefined) {
    const page: Awaited<ReturnType<ObjectStore['listVersions']>> = await store.listVersions(bucket, {
      ...asked,
      ...place,
    });
    expect(page.rows.length + page.commonPrefixes.length).toBeLessThanOrEqual(asked.max);
    items.push(...itemsOf(page));
    const { next, nextVersionId } = page;
    place =
      next === undefined
        ? undefined
        : { after: next, ...(nextVersionId === undefined ? {} : { afterVersionId: nextVersionId }) };
  }
  return items;
}

const question = fc.record({ prefix: text(3), delimiter, after: text(4), max: fc.integer({ min: 1, max: 6 }) });

describe('lists of objects and of versions [real]', () => {
  it('are what a look at all keys gives, whatever the page, the prefix and the delimiter', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(key, { maxLength: 25 }),
        fc.array(question, { minLength: 5, maxLength: 8 }),
        async (names, questions) => {
          const { bucket, entries, current } = await bucketOf(names);
          for (const asked of questions) {
            expect(await allObjects(bucket, asked)).toEqual(modelList(current, asked));
            expect(await allVersions(bucket, asked)).toEqual(modelList(entries, asked));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('skip a common prefix without looking at what is in it', () => {
    const all = ['a', ...Array.from({ length: 1000 }, (_, n) => `big/${n}`), 'z'].map((name) => ({
      key: Buffer.from(name),
    }));
    let looked = 0;
    function* seek({ from, to }: KeyRange): Generator<{ key: Buffer }> {
      for (const row of all.filter((one) => from.compare(one.key) <= 0 && one.key.compare(to) < 0)) {
        looked += 1;
        yield row;
      }
    }
    const whole = { prefix: '', delimiter: '/', after: '', max: 10 };
    const page = takePage(foundKeys(whole, rangeOf(whole), seek), 10);
    expect([page.rows.map((row) => row.key.toString()), page.commonPrefixes]).toEqual([['a', 'z'], ['big/']]);
    expect(looked).toBe(3);
  });
});
