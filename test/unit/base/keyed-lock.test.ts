import { describe, expect, it } from 'vitest';
import { KeyedLock } from '../../../src/base/keyed-lock.ts';

/** A promise and its end in two hands. */
function gate(): { wait: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const wait = new Promise<void>((resolve) => (open = resolve));
  return { wait, open };
}

describe('KeyedLock', () => {
  it('runs the work of one key in the order it was asked for, one at a time', async () => {
    const lock = new KeyedLock();
    const seen: string[] = [];
    const first = gate();
    const work = (name: string, wait?: Promise<void>) =>
      lock.run('k', async () => {
        seen.push(`${name} begins`);
        await wait;
        seen.push(`${name} ends`);
        return name;
      });
    const all = [work('a', first.wait), work('b'), work('c')];
    await Promise.resolve();
    first.open();
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c']);
    expect(seen).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });

  it('holds up no other key', async () => {
    const lock = new KeyedLock();
    const stuck = gate();
    const slow = lock.run('a', () => stuck.wait);
    expect(await lock.run('b', () => Promise.resolve('done'))).toBe('done');
    stuck.open();
    await slow;
  });

  it('goes on after work that failed, which only its own caller hears of', async () => {
    const lock = new KeyedLock();
    const failing = lock.run('k', () => Promise.reject(new Error('broken')));
    const next = lock.run('k', () => Promise.resolve(1));
    await expect(failing).rejects.toThrow('broken');
    expect(await next).toBe(1);
  });
});
