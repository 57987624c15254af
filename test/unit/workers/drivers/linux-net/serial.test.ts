import { describe, expect, it } from 'vitest';
import { Serial } from '../../../../../src/workers/drivers/linux-net/serial.ts';

/** What was done, in order; each task ends a few turns after it began. */
function makeSerial() {
  const serial = new Serial();
  const done: string[] = [];
  const doIt = async (what: string): Promise<void> => {
    done.push(what);
    for (let turn = 0; turn < 5; turn += 1) await Promise.resolve();
  };
  const join = (item: string, group = 'g'): Promise<string> =>
    serial.join('k', group, item, async (items) => {
      await doIt(`[${items.join(' ')}]`);
      return items.map((one) => `${one}!`);
    });
  const run = (what: string): Promise<void> => serial.run('k', () => doIt(what));
  return { join, run, done };
}

describe('Serial', () => {
  it('does together what waits for its turn, and answers each for itself', async () => {
    const { join, run, done } = makeSerial();
    const first = run('busy');
    expect(await Promise.all([join('a'), join('b'), join('c')])).toEqual(['a!', 'b!', 'c!']);
    await first;
    expect(done).toEqual(['busy', '[a b c]']);
  });

  it('what comes while a run is under way is for the next one', async () => {
    const { join, done } = makeSerial();
    const first = join('a');
    await Promise.resolve();
    await Promise.resolve();
    expect(done).toEqual(['[a]']);
    await Promise.all([first, join('b'), join('c')]);
    expect(done).toEqual(['[a]', '[b c]']);
  });

  it('does nothing before what was asked for earlier', async () => {
    const { join, run, done } = makeSerial();
    await Promise.all([run('busy'), join('a'), run('take a away'), join('b'), join('c')]);
    expect(done).toEqual(['busy', '[a]', 'take a away', '[b c]']);
  });

  it('groups do not join each other', async () => {
    const { join, run, done } = makeSerial();
    await Promise.all([run('busy'), join('a'), join('x', 'h'), join('b'), join('y', 'h')]);
    expect(done).toEqual(['busy', '[a b]', '[x y]']);
  });

  it('fails for all who joined, and goes on', async () => {
    const { join, run } = makeSerial();
    const serial = new Serial();
    const broken = (): Promise<never> => Promise.reject(new Error('broken'));
    const both = [serial.join('k', 'g', 1, broken), serial.join('k', 'g', 2, broken)];
    const results = await Promise.allSettled(both);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await serial.join('k', 'g', 3, (items) => Promise.resolve(items))).toBe(3);
    await run('on');
    expect(await join('a')).toBe('a!');
  });
});
