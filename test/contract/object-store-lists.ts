import { expect, it } from 'vitest';
import type { ObjectStore } from '../../src/ports/object-store.ts';
import { asked, keys, put } from '../support/object-samples.ts';

/** Pages of keys. */
export function objectListsContract(current: () => ObjectStore): void {
  const NAMES = ['a/1', 'a/2', 'a/b/1', 'a0', 'b', 'b/', 'b/x', 'c//d', 'z'];
  const fill = (): Promise<unknown> => Promise.all(NAMES.map((key) => put(current(), 'b', key, key)));

  it('tell of each object what a client may see', async () => {
    const store = current();
    const { segments, metadata, grants, ...summary } = await put(store, 'b', 'k', 'hello');
    expect([segments.length, metadata, grants]).toEqual([1, { user: {} }, []]);
    expect(await store.list('b', asked())).toEqual({ rows: [summary], commonPrefixes: [] });
    expect(await store.listVersions('b', asked())).toEqual({ rows: [summary], commonPrefixes: [] });
  });

  it('by prefix and delimiter', async () => {
    await fill();
    expect(await keys(current(), 'b')).toEqual(NAMES);
    expect(await keys(current(), 'b', { delimiter: '/' })).toEqual(['a0', 'b', 'z', 'a/…', 'b/…', 'c/…']);
    expect(await keys(current(), 'b', { prefix: 'a/', delimiter: '/' })).toEqual(['a/1', 'a/2', 'a/b/…']);
    expect(await keys(current(), 'b', { prefix: 'a' })).toEqual(['a/1', 'a/2', 'a/b/1', 'a0']);
    expect(await keys(current(), 'b', { prefix: 'b/' })).toEqual(['b/', 'b/x']);
    expect(await keys(current(), 'b', { delimiter: '//' })).toEqual([...NAMES.filter((key) => key !== 'c//d'), 'c//…']);
    expect(await keys(current(), 'b', { prefix: 'nothing' })).toEqual([]);
  });

  it('go on behind what was answered', async () => {
    await fill();
    expect(await keys(current(), 'b', { after: 'a/2' })).toEqual(NAMES.slice(2));
    expect(await keys(current(), 'b', { after: 'a/15' })).toEqual(NAMES.slice(1));
    expect(await keys(current(), 'b', { after: 'a/', delimiter: '/' })).toEqual(['a0', 'b', 'z', 'b/…', 'c/…']);
    expect(await keys(current(), 'b', { after: 'a/1', delimiter: '/' })).toEqual(['a0', 'b', 'z', 'b/…', 'c/…']);
    expect(await keys(current(), 'b', { after: 'A', prefix: 'a/' })).toEqual(['a/1', 'a/2', 'a/b/1']);
    expect(await keys(current(), 'b', { after: 'zz' })).toEqual([]);
    const store = current();
    expect(await store.list('b', asked({ max: 0 }))).toEqual({ rows: [], commonPrefixes: [] });
    expect(await store.list('b', asked({ max: 1, delimiter: '/' }))).toEqual({
      rows: [],
      commonPrefixes: ['a/'],
      next: 'a/',
    });
    expect((await store.list('b', asked({ max: NAMES.length }))).next).toBeUndefined();
    expect((await store.list('b', asked({ max: NAMES.length - 1 }))).next).toBe('c//d');
  });
}
