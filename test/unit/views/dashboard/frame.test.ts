import { renderToString } from 'ink';
import { createElement } from 'react';
import { describe, expect, it } from 'vitest';
import { Lines } from '../../../../src/views/dashboard/dashboard-screen.tsx';
import { withLog } from '../../../../src/views/dashboard/feed.ts';
import { frame } from '../../../../src/views/dashboard/frame.ts';
import type { DashboardState } from '../../../../src/views/dashboard/state.ts';
import { textWidth } from '../../../../src/views/text.ts';
import { instance, instanceId, sample, type } from '../../../support/dashboard-samples.ts';
import { expectGolden } from '../../../support/golden.ts';
import { NOW_MS } from '../../../support/run-cli.ts';

const PLAIN = { color: false, cutMark: '…' };
const AT = { nowMs: NOW_MS, monotonicMs: 1000 };
const draw = (state: DashboardState, style = PLAIN): string => `${frame(state, AT, style).join('\n')}\n`;

/** Golden files, which say the size, and the keys that lead there. */
const VIEWS: readonly (readonly [string, readonly string[]])[] = [
  ['overview-80x24', ['1']],
  ['overview-60x20', ['1']],
  ['instances-80x24', ['2', 'j']],
  ['instances-60x20', ['2', 'j']],
  ['hosts-80x24', ['3']],
  ['hosts-60x20', ['3']],
  ['operations-80x24', ['4']],
  ['operations-60x20', ['4']],
  ['describe-80x24', ['2', 'd']],
  ['describe-60x20', ['2', 'd']],
  ['describe-operation-80x24', ['4', 'd']],
  ['describe-operation-60x20', ['4', 'd']],
  ['dialog-80x24', ['2', 't']],
  ['dialog-60x20', ['2', 't']],
  ['filter-80x24', ['2', '/', 'w', 'e', 'b', '2']],
  ['filter-60x20', ['2', '/', 'w', 'e', 'b', '2']],
  ['help-80x24', ['?']],
  ['help-60x20', ['?']],
];

describe('the screen', () => {
  it.each(VIEWS)('%s', (name, keys) => {
    const [columns = 0, rows = 0] = name.split('-').at(-1)?.split('x').map(Number) ?? [];
    const { state } = type(sample({ columns, rows }), ...keys);
    const lines = frame(state, AT, PLAIN);
    expect(lines).toHaveLength(rows - 1);
    expect(lines.filter((text) => textWidth(text) > columns)).toEqual([]);
    expectGolden(`dashboard/${name}.txt`, draw(state));
  });
});

describe('any size', () => {
  it.each([
    [1, 1],
    [10, 3],
    [20, 5],
    [400, 120],
  ])('%i x %i is drawn, and not beyond its edges', (columns, rows) => {
    for (const [, keys] of VIEWS) {
      const lines = frame(type(sample({ columns, rows }), ...keys).state, AT, PLAIN);
      expect(lines.length).toBe(Math.max(1, rows - 1));
      expect(lines.filter((text) => textWidth(text) > columns)).toEqual([]);
    }
  });
});

describe('colour', () => {
  it('is not there without it, and changes no text', () => {
    const { state } = type(sample(), 'j');
    const color = draw(state, { ...PLAIN, color: true });
    expect(draw(state)).not.toContain('\x1b');
    const bare = color.replaceAll(/\x1b\[\d*m/g, '').replaceAll(/ +\n/g, '\n');
    expect(bare).toBe(draw(state).replaceAll(/ +\n/g, '\n'));
    expectGolden('dashboard/instances-color-80x24.txt', color);
  });
});

describe('what others wrote', () => {
  it('does not steer the terminal', () => {
    const evil = instance(1, { name: '\x1b[2J\x07bad\nname' });
    const list = sample({ instances: [evil] });
    const log = withLog(type(list, 'l').state, instanceId(1), '\x1b]0;title\x07text\x9b2J');
    for (const state of [list, type(list, 'd').state, type(list, 't').state, log]) {
      const text = frame(state, AT, PLAIN).join('');
      expect(/\p{Cc}/u.test(text)).toBe(false);
    }
  });
});

describe('a large cloud', () => {
  it('is as many lines as the screen, of 10,000 instances', () => {
    const instances = Array.from({ length: 10_000 }, (_, n) => instance(n));
    const state = type(sample({ instances }), 'G').state;
    expect(frame(state, AT, PLAIN)).toHaveLength(23);
    expect(draw(state)).toContain('9983-10000 of 10000');
  });
});

describe('the ink component', () => {
  it('prints the lines that it is given', () => {
    expect(renderToString(createElement(Lines, { lines: ['one', '', 'three'] }), { columns: 20 })).toBe('one\n\nthree');
  });
});
