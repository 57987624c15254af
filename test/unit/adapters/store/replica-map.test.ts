import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FrozenView, ReplicaMap } from '../../../../src/adapters/store/replica-map.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import type { Entry } from '../../../../src/ports/store.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const key = fc.constantFrom(...'abcdefghij');
const op = fc.record({ key, value: fc.option(fc.nat(), { nil: undefined }) });
const slice = fc.nat({ max: 4 });

function drain(view: FrozenView, into: Entry[]): void {
  for (let part = view.next(3); part.length > 0; part = view.next(3)) into.push(...part);
}

const byKey = (entries: Entry[]): Entry[] => [...entries].sort((a, b) => (a.key < b.key ? -1 : 1));

describe('ReplicaMap', () => {
  it('a frozen view gives the state of its moment, each key once, whatever happens while it is read', () => {
    fc.assert(
      fc.property(
        fc.array(op),
        fc.array(fc.tuple(slice, fc.array(op, { maxLength: 4 })), { maxLength: 8 }),
        (before, rounds) => {
          const replica = new ReplicaMap({ clock: new ManualClock(), logger: silentLogger });
          const apply = (ops: typeof before): void => replica.apply({ rev: replica.rev + 1, ops }, 1);
          apply(before);
          const expected = replica.range('');
          const view = replica.freeze();
          const read: Entry[] = [];
          for (const [count, ops] of rounds) {
            if (count > 0) read.push(...view.next(count));
            apply(ops);
          }
          drain(view, read);
          expect(byKey(read)).toEqual(expected);
          expect([view.rev, view.keys]).toEqual([1, expected.length]);
          view.close();
        },
      ),
    );
  });

  it('two views at two moments do not disturb each other', () => {
    const replica = new ReplicaMap({ clock: new ManualClock(), logger: silentLogger });
    const put = (k: string, value: number | undefined): void =>
      replica.apply({ rev: replica.rev + 1, ops: [{ key: k, value }] }, 1);
    for (const k of 'abcd') put(k, 1);
    const first = replica.freeze();
    put('b', 2);
    put('e', 2);
    const second = replica.freeze();
    put('b', undefined);
    put('c', 3);
    const values = (view: FrozenView): string => {
      const read: Entry[] = [];
      drain(view, read);
      return byKey(read)
        .map((entry) => `${entry.key}${String(entry.value)}`)
        .join(' ');
    };
    expect(values(first)).toBe('a1 b1 c1 d1');
    expect(values(second)).toBe('a1 b2 c1 d1 e2');
  });

  it('bounds its history by number and by weight', () => {
    const replica = new ReplicaMap({
      clock: new ManualClock(),
      logger: silentLogger,
      historyLength: 200,
      historyBytes: 1000,
    });
    const oldest = (): number => {
      for (let from = 1; ; from += 1) {
        try {
          replica.watch('', from, () => undefined).close();
          return from;
        } catch {
          continue;
        }
      }
    };
    for (let rev = 1; rev <= 500; rev += 1) replica.apply({ rev, ops: [{ key: 'a', value: rev }] }, 1);
    expect(oldest()).toBe(301);
    for (let rev = 501; rev <= 510; rev += 1) replica.apply({ rev, ops: [{ key: 'a', value: rev }] }, 300);
    expect(oldest()).toBe(508);
  });
});
