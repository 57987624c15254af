import { describe, expect, it } from 'vitest';
import { LOG_LIMITS, withFeed, withFeedLost, withLog, withLogProblem } from '../../../../src/views/dashboard/feed.ts';
import { feedWords } from '../../../../src/views/dashboard/frame.ts';
import { settle } from '../../../../src/views/dashboard/press.ts';
import { filterTest, rowsOf } from '../../../../src/views/dashboard/rows.ts';
import { screenOf, type DashboardState, type FeedItem } from '../../../../src/views/dashboard/state.ts';
import { instance, instanceId, sample, SAMPLE, snapshot, type } from '../../../support/dashboard-samples.ts';
import { NOW_MS } from '../../../support/run-cli.ts';

const ids = (state: DashboardState): string[] => rowsOf(state, 'instances').map((row) => row.id);
const feed = (state: DashboardState, ...items: readonly FeedItem[]): DashboardState =>
  settle(withFeed(state, items, 1000));

describe('what the feed brings', () => {
  it('replaces, adds and removes', () => {
    const begun = sample({ instances: [instance(1), instance(2)] });
    const after = feed(
      begun,
      { kind: 'instance', instance: instance(3) },
      { kind: 'instance', instance: instance(1, { state: 'stopped' }) },
      { kind: 'gone', what: 'instance', id: instanceId(2) },
    );
    expect(ids(after)).toEqual([instanceId(3), instanceId(1)]);
    expect(after.known.instances.get(instanceId(1))?.state).toBe('stopped');
    expect(begun.known.instances.size).toBe(2);
  });

  it('shows the old until a new snapshot is whole, and then nothing that is not in it', () => {
    const [begin, hosts, page, ready] = snapshot(instance(7)) as [FeedItem, FeedItem, FeedItem, FeedItem];
    const half = feed(sample({ instances: [instance(1)] }), begin, hosts, page);
    expect(ids(half)).toEqual([instanceId(1)]);
    expect(ids(feed(half, ready))).toEqual([instanceId(7)]);
    const cut = withFeedLost(half, 'cut');
    expect(ids(feed(cut, ...snapshot(instance(8))))).toEqual([instanceId(8)]);
  });

  it('keeps the newest operations alone', () => {
    const many = Array.from({ length: 700 }, (_, n): FeedItem => {
      return { kind: 'operation', operation: { ...SAMPLE.operation, operationId: `op-${n}`, startedAtMs: NOW_MS + n } };
    });
    const { operations } = feed(sample(), ...many).known;
    expect([operations.size, operations.has('op-699'), operations.has('op-199')]).toEqual([500, true, false]);
  });

  it('tells how old it is', () => {
    const at = (monotonicMs: number) => ({ nowMs: NOW_MS, monotonicMs });
    const live = feed(sample());
    expect(feedWords(live, at(3000)).text).toBe('live');
    expect(feedWords(live, at(13_500)).text).toBe('stale 12s');
    expect(feedWords(withFeedLost(live, 'cut'), at(13_500)).text).toBe('stale 12s: reconnecting');
    expect(feedWords(feed(withFeedLost(live, 'cut')), at(1100)).text).toBe('live');
  });
});

describe('the selection', () => {
  it('stays on its instance while others come and go', () => {
    const on5 = type(sample({ instances: [instance(4), instance(5), instance(6)] }), 'j').state;
    const after = feed(
      on5,
      { kind: 'instance', instance: instance(9) },
      { kind: 'gone', what: 'instance', id: instanceId(4) },
    );
    expect(after.lists.instances).toMatchObject({ selected: instanceId(5), index: 2 });
  });

  it('goes to the row in its place when its instance goes', () => {
    const on5 = type(sample({ instances: [instance(4), instance(5), instance(6)] }), 'j').state;
    const after = feed(on5, { kind: 'gone', what: 'instance', id: instanceId(5) });
    expect(after.lists.instances.selected).toBe(instanceId(4));
  });

  it('does not change what an open dialog is about', () => {
    const asked = type(sample({ instances: [instance(4), instance(5)] }), 't').state;
    const after = feed(asked, { kind: 'gone', what: 'instance', id: instanceId(5) });
    expect(type(after, 'tab', 'enter').effects).toEqual([{ kind: 'terminate', id: instanceId(5) }]);
  });
});

describe('filter and order', () => {
  it.each([
    ['web1$', false],
    ['WEB', true],
    ['!web', false],
    ['10\\.200\\.0\\.12', true],
    ['running.*10', true],
    ['[', false],
    ['', true],
  ])('%j passes web12: %s', (filter, passes) => {
    const [row] = rowsOf(sample({ instances: [instance(12)] }), 'instances');
    expect(row && filterTest(filter)(row)).toBe(passes);
  });

  it('works while it is typed, is kept by enter and taken away by esc', () => {
    const typed = type(sample(), '/', 'w', 'e', 'b', '2', '9');
    expect(ids(typed.state)).toEqual([instanceId(29)]);
    expect(ids(type(typed.state, 'enter').state)).toEqual([instanceId(29)]);
    expect(ids(type(typed.state, 'backspace').state)).toHaveLength(11);
    expect(ids(type(typed.state, 'esc').state)).toHaveLength(30);
    expect(ids(type(typed.state, 'enter', 'esc').state)).toHaveLength(30);
  });

  it('backspace in an empty filter does nothing to the list', () => {
    const { state, effects } = type(sample(), '/', 'x', 'backspace', 'backspace', 'backspace');
    expect([state.prompt, state.dialog, effects]).toEqual([undefined, undefined, []]);
  });

  it('sorts by name, age and status, and the other way round', () => {
    const state = sample({ instances: [instance(1, { name: 'b' }), instance(2, { name: 'a', state: 'stopped' })] });
    const order = (...keys: string[]): string[] => ids(type(state, ...keys).state).map((id) => id.slice(-1));
    expect(order()).toEqual(['2', '1']);
    expect(order('A')).toEqual(['1', '2']);
    expect(order('N')).toEqual(['2', '1']);
    expect(order('N', 'N')).toEqual(['1', '2']);
    expect(order('S')).toEqual(['1', '2']);
  });
});

describe('a console log', () => {
  const open = (): DashboardState => type(sample({ rows: 10 }), 'l').state;
  const id = instanceId(29);

  it('joins what was cut, and keeps what steers a terminal out', () => {
    const state = withLog(withLog(open(), id, 'one\ntw'), id, 'o\x1b[2J\r\nthree\t.');
    expect(state.log?.lines).toEqual(['one', 'two', 'three    .']);
  });

  it('keeps the last lines, and no endless one', () => {
    const state = withLog(open(), id, `${'x\n'.repeat(6000)}${'y'.repeat(90_000)}`);
    expect(state.log?.lines).toHaveLength(LOG_LIMITS.lines);
    expect(state.log?.lines.at(-1)).toHaveLength(LOG_LIMITS.chars);
  });

  it('is followed at its end alone', () => {
    const long = withLog(open(), id, Array.from({ length: 40 }, (_, n) => `${n}`).join('\n'));
    const up = type(long, 'k', 'k').state;
    expect(screenOf(up)).toEqual({ kind: 'log', id, top: 34 });
    expect(screenOf(type(up, 'G').state)).toEqual({ kind: 'log', id, top: undefined });
    expect(screenOf(type(long, 'g').state)).toEqual({ kind: 'log', id, top: 0 });
  });

  it('says why it can not be read', () => {
    expect(withLogProblem(open(), id, 'no').log).toEqual({ id, lines: [], problem: 'no' });
  });
});
