import { describe, expect, it } from 'vitest';
import { SharedLock } from '../../../src/base/shared-lock.ts';

/** Work that the test ends itself, and what happened so far. */
function makeLock() {
  const lock = new SharedLock();
  const seen: string[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const work = (kind: 'share' | 'alone', name: string, key = 'k'): Promise<string> =>
    lock[kind](key, async () => {
      seen.push(name);
      const end = Promise.withResolvers<void>();
      ends.set(name, end);
      await end.promise;
      return name;
    });
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  };
  const end = async (name: string, error?: Error): Promise<void> => {
    if (error === undefined) ends.get(name)?.resolve();
    else ends.get(name)?.reject(error);
    await settle();
  };
  return { work, seen, end, settle };
}

describe('SharedLock', () => {
  it('runs shared work side by side, other work alone, both in the order they were asked for', async () => {
    const { work, seen, end, settle } = makeLock();
    const all = [work('share', 'a'), work('share', 'b'), work('alone', 'c'), work('alone', 'd'), work('share', 'e')];
    await settle();
    expect(seen).toEqual(['a', 'b']);
    await end('b');
    expect(seen).toEqual(['a', 'b']);
    await end('a');
    expect(seen).toEqual(['a', 'b', 'c']);
    await end('c');
    expect(seen).toEqual(['a', 'b', 'c', 'd']);
    await end('d');
    await end('e');
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('holds up no other key', async () => {
    const { work, seen, end, settle } = makeLock();
    const all = [work('alone', 'a'), work('alone', 'b', 'other')];
    await settle();
    expect(seen).toEqual(['a', 'b']);
    await end('a');
    await end('b');
    await Promise.all(all);
  });

  it('goes on after work that failed, which only its own caller hears of', async () => {
    const { work, end, settle } = makeLock();
    const failing = [work('alone', 'a'), work('share', 'b')];
    const next = work('alone', 'c');
    const results = Promise.allSettled(failing);
    await settle();
    await end('a', new Error('broken'));
    await end('b', new Error('broken too'));
    await end('c');
    expect((await results).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await next).toBe('c');
  });
});
