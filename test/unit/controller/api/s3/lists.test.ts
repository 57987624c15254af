import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../../../../src/ports/object-store.ts';
import { expectGolden } from '../../../../support/golden.ts';
import { bucketSample, put, uploadSample } from '../../../../support/object-samples.ts';
import { askS3, textsOf } from '../../../../support/s3-call.ts';
import { openS3Store } from './open-store.ts';

const code = (name: string): object => expect.objectContaining({ code: name });

async function list(store: ObjectStore, query: string): Promise<string> {
  return (await askS3(store, { bucket: 'b', query })).text;
}

describe('the shapes of lists', () => {
  it('are those of S3', async () => {
    const store = await openS3Store();
    for (const key of ['a/1', 'a/2', 'b & c', 'd']) await put(store, 'b', key, key);
    expectGolden('s3/list-objects.xml', await list(store, 'delimiter=/&max-keys=2'));
    expectGolden(
      's3/list-objects-v2.xml',
      await list(store, 'list-type=2&start-after=a/1&encoding-type=url&fetch-owner=true'),
    );
    await store.updateBucket('b', (bucket) => ({ ...bucket, versioning: 'enabled' }));
    await put(store, 'b', 'd', 'new');
    await store.removeObject('b', 'a/1');
    expectGolden('s3/list-versions.xml', await list(store, 'versions'));
    await store.createBucket(bucketSample('c', { createdMs: 2_000 }));
    await store.createBucket(bucketSample('other', { projectId: 'p-2' }));
    expectGolden('s3/list-buckets.xml', (await askS3(store, {})).text);
    const page = (await askS3(store, { query: 'max-buckets=1' })).text;
    const next = (await askS3(store, { query: `continuation-token=${textsOf(page, 'ContinuationToken')[0]}` })).text;
    expect([textsOf(page, 'Name'), textsOf(next, 'Name')]).toEqual([['b'], ['c']]);
    expect(textsOf((await askS3(store, { query: 'prefix=c' })).text, 'Name')).toEqual(['c']);
    await expect(askS3(store, { anonymous: true })).rejects.toEqual(code('AccessDenied'));
  });

  it('refuse parameters that mean nothing', async () => {
    const store = await openS3Store();
    for (const query of [
      ...[
        'max-keys=x',
        'max-keys=-1',
        'max-keys=99999999999',
        'encoding-type=xml',
        'list-type=2&continuation-token=abc',
      ],
      ...['versions&version-id-marker=1', 'uploads&key-marker=a&upload-id-marker=%00', 'uploads&max-uploads=x'],
    ])
      await expect(list(store, query), query).rejects.toEqual(code('InvalidArgument'));
    expect(textsOf(await list(store, 'list-type=2&max-keys=5000'), 'MaxKeys')).toEqual(['1000']);
    expect(textsOf(await list(store, 'list-type=2&max-keys=0'), 'IsTruncated')).toEqual(['false']);
  });
});

/** What a list tells: keys, versions or uploads, and common prefixes, each of its kind in its order. */
interface Seen {
  readonly entries: string[];
  readonly prefixes: string[];
}

const decoded = (encoded: boolean, text: string): string => {
  const plain = text.replaceAll('&amp;', '&').replaceAll('&lt;', '<').replaceAll('&quot;', '"');
  return encoded ? decodeURIComponent(plain) : plain;
};

interface Kind {
  readonly name: string;
  readonly query: string;
  readonly max: string;
  /** Elements of the answer, and the parameters by which the next page is asked for. */
  readonly next: readonly (readonly [string, string])[];
  readonly id: string | undefined;
}
const KINDS: readonly Kind[] = [
  { name: 'objects', query: '', max: 'max-keys', next: [['NextMarker', 'marker']], id: undefined },
  {
    ...{ name: 'objects, version 2', query: 'list-type=2', max: 'max-keys', id: undefined },
    next: [['NextContinuationToken', 'continuation-token']],
  },
  {
    ...{ name: 'versions', query: 'versions', max: 'max-keys', id: 'VersionId' },
    next: [
      ['NextKeyMarker', 'key-marker'],
      ['NextVersionIdMarker', 'version-id-marker'],
    ],
  },
  {
    ...{ name: 'uploads', query: 'uploads', max: 'max-uploads', id: 'UploadId' },
    next: [
      ['NextKeyMarker', 'key-marker'],
      ['NextUploadIdMarker', 'upload-id-marker'],
    ],
  },
];

async function readPages(
  store: ObjectStore,
  kind: Kind,
  asked: { prefix: string; delimiter: string; encoded: boolean; max: number },
): Promise<Seen & { pages: number }> {
  const { prefix, delimiter, encoded, max } = asked;
  const seen = { entries: [] as string[], prefixes: [] as string[], pages: 0 };
  let markers: Record<string, string> = {};
  for (;;) {
    const query = new URLSearchParams({ prefix, delimiter, [kind.max]: String(max), ...markers });
    if (encoded) query.set('encoding-type', 'url');
    const xml = await list(store, [kind.query, query.toString()].filter((text) => text !== '').join('&'));
    seen.pages += 1;
    const keys = textsOf(xml, 'Key').map((key) => decoded(encoded, key));
    const ids = kind.id === undefined ? [] : textsOf(xml, kind.id);
    seen.entries.push(...keys.map((key, index) => `${key} ${ids[index] ?? ''}`));
    seen.prefixes.push(
      ...textsOf(xml, 'Prefix')
        .slice(1)
        .map((text) => decoded(encoded, text)),
    );
    expect(keys.length + textsOf(xml, 'Prefix').length - 1).toBeLessThanOrEqual(max);
    if (textsOf(xml, 'IsTruncated')[0] !== 'true') return seen;
    const plain = (element: string, value: string): string =>
      element.endsWith('KeyMarker') || element === 'NextMarker' ? decoded(encoded, value) : value;
    markers = Object.fromEntries(
      kind.next.flatMap(([element, parameter]) =>
        textsOf(xml, element).map((value) => [parameter, plain(element, value)] as const),
      ),
    );
    expect(seen.pages).toBeLessThan(100);
  }
}

const PIECES = ['a', 'b', '/', '//', 'ä', '€', ' ', '&', '%2F', '+', '\u{10000}', '\uffee'];

describe('paging', () => {
  it('whatever the page, delimiter and encoding tells what one page tells', { timeout: 60_000 }, async () => {
    const key = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(''));
    const asked = fc.record({
      prefix: fc.constantFrom('', 'a', 'a/', '/'),
      delimiter: fc.constantFrom('', '/', '//', 'ä', 'b'),
      encoded: fc.boolean(),
      max: fc.integer({ min: 1, max: 4 }),
    });
    let manyPages = 0;
    const check = async (
      keys: string[],
      questions: { prefix: string; delimiter: string; encoded: boolean; max: number }[],
    ): Promise<void> => {
      const store = await openS3Store();
      await store.updateBucket('b', (bucket) => ({ ...bucket, versioning: 'enabled' }));
      for (const [index, one] of keys.entries()) {
        await put(store, 'b', one, String(index));
        if (index % 3 === 0) await store.removeObject('b', one);
        await store.createUpload(uploadSample('b', one, index.toString(16).padStart(32, '0')));
      }
      for (const kind of KINDS) {
        for (const question of questions) {
          const { pages, ...paged } = await readPages(store, kind, question);
          if (pages > 1) manyPages += 1;
          const { entries, prefixes } = await readPages(store, kind, { ...question, max: 1000 });
          expect(paged, kind.name).toEqual({ entries, prefixes });
          const whole = (await readPages(store, kind, { ...question, delimiter: '', max: 1000 })).entries;
          const folded = (text: string): boolean =>
            question.delimiter !== '' &&
            text.slice(0, text.lastIndexOf(' ')).includes(question.delimiter, question.prefix.length);
          expect(entries, kind.name).toEqual(whole.filter((text) => !folded(text)));
          expect(prefixes.length > 0, kind.name).toBe(whole.some(folded));
        }
      }
    };
    const property = fc.asyncProperty(
      fc.array(key, { minLength: 4, maxLength: 14 }),
      fc.array(asked, { minLength: 2, maxLength: 4 }),
      check,
    );
    await fc.assert(property, { numRuns: 20, seed: 20_260_102 });
    expect(manyPages).toBeGreaterThan(20);
  });
});
