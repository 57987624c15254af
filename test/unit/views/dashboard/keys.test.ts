import { describe, expect, it } from 'vitest';
import { KEY_TABLE, keysAt } from '../../../../src/views/dashboard/key-table.ts';
import { keyNames, type InkKey } from '../../../../src/views/dashboard/key-name.ts';
import { PLACES, screenOf } from '../../../../src/views/dashboard/state.ts';
import { instance, instanceId, sample, type } from '../../../support/dashboard-samples.ts';

const selected = (state: ReturnType<typeof sample>): string | undefined => state.lists.instances.selected;

describe('the key table', () => {
  it.each(PLACES)('has one meaning for each key in %s', (place) => {
    const keys = KEY_TABLE.filter((row) => (row.on ?? PLACES).includes(place)).flatMap((row) => row.keys);
    expect(keys).toEqual([...new Set(keys)]);
  });

  it('hides with --read-only what changes something', () => {
    const hidden = keysAt('instances', false).filter((row) => !keysAt('instances', true).includes(row));
    expect(hidden.map((row) => row.act)).toEqual(['ssh', 'terminate']);
  });
});

describe('moving', () => {
  it.each([
    ['j', 28],
    ['down', 28],
    ['pagedown', 11],
    ['G', 0],
    ['end', 0],
  ])('%s goes to instance %i, the youngest being the first', (key, n) => {
    expect(selected(type(sample(), key).state)).toBe(instanceId(n));
  });

  it('goes back up, and not further than the first', () => {
    expect(selected(type(sample(), 'G', 'k').state)).toBe(instanceId(1));
    expect(selected(type(sample(), 'G', 'g').state)).toBe(instanceId(29));
    expect(selected(type(sample(), 'up', 'pageup', 'k').state)).toBe(instanceId(29));
  });

  it('moves the window only as far as it must', () => {
    const down = type(sample(), ...Array.from({ length: 20 }, () => 'j')).state;
    expect(down.lists.instances.top).toBe(3);
    expect(type(down, 'k').state.lists.instances.top).toBe(3);
  });

  it('does nothing in an empty list', () => {
    const { state, effects } = type(sample({ instances: [] }), 'j', 'G', 'd', 'l', 's', 't', 'enter');
    expect([screenOf(state), state.dialog, effects]).toEqual([{ kind: 'list', list: 'instances' }, undefined, []]);
  });
});

describe('screens', () => {
  it.each([
    [['1'], { kind: 'overview' }],
    [['3'], { kind: 'list', list: 'hosts' }],
    [[':', 'o', 'p', 's', 'enter'], { kind: 'list', list: 'operations' }],
    [['d'], { kind: 'describe', list: 'instances', id: instanceId(29), top: 0 }],
    [['enter'], { kind: 'describe', list: 'instances', id: instanceId(29), top: 0 }],
    [['d', 'l'], { kind: 'log', id: instanceId(29), top: undefined }],
    [['d', 'l', 'esc', 'esc', 'esc'], { kind: 'list', list: 'instances' }],
    [['?'], { kind: 'help', top: 0 }],
    [['?', '?'], { kind: 'list', list: 'instances' }],
    [['?', 'G'], { kind: 'help', top: 4 }],
  ] as const)('%j leads to %j', (keys, screen) => {
    expect(screenOf(type(sample(), ...keys).state)).toEqual(screen);
  });

  it.each([[['q']], [['ctrl-c']], [[':', 'q', 'enter']], [['t', 'ctrl-c']], [['/', 'q', 'ctrl-c']]])(
    '%j quits',
    (keys) => {
      expect(type(sample(), ...keys).effects).toEqual([{ kind: 'quit' }]);
    },
  );

  it('says which commands there are', () => {
    expect(type(sample(), ':', 'x', 'enter').state.notice?.text).toBe(
      'no command x; there is overview, instances, hosts, ops, q',
    );
  });
});

describe('ssh', () => {
  it('is asked for a running instance alone', () => {
    const instances = [instance(1), instance(2, { state: 'stopped' })];
    expect(type(sample({ instances }), 's').effects).toEqual([]);
    expect(type(sample({ instances }), 'j', 's').effects).toEqual([{ kind: 'ssh', id: instanceId(1) }]);
  });
});

describe('terminate', () => {
  it.each(['t', 'ctrl-d'])('%s opens a dialog on Cancel, which enter takes', (key) => {
    const { state, effects } = type(sample(), key, 'enter');
    expect([state.dialog, effects]).toEqual([undefined, []]);
    expect(type(sample(), key).state.dialog).toMatchObject({ id: instanceId(29), focus: 'cancel' });
  });

  it.each([[['tab', 'esc']], [['tab', 'tab', 'enter']], [['t', 't', 'enter']], [['y']], [['d', 'q', 'G', 'enter']]])(
    'the dialog and %j end nothing',
    (keys) => {
      expect(type(sample(), 't', ...keys).effects).toEqual([]);
    },
  );

  it.each(['tab', 'right', 'l'])('%s and enter confirm it', (key) => {
    const { state, effects } = type(sample(), 't', key, 'enter');
    expect([state.dialog, effects]).toEqual([undefined, [{ kind: 'terminate', id: instanceId(29) }]]);
  });

  it('is for what is described, and not for what has ended', () => {
    expect(type(sample(), 'j', 'd', 't', 'tab', 'enter').effects).toEqual([{ kind: 'terminate', id: instanceId(28) }]);
    const gone = type(sample({ instances: [instance(1, { state: 'terminated' })] }), 't').state;
    expect([gone.dialog, gone.notice?.text]).toEqual([undefined, `${instanceId(1)} is terminated already`]);
  });

  it('is refused with --read-only, as is ssh', () => {
    for (const key of ['t', 'ctrl-d', 's']) {
      const { state, effects } = type(sample({ readOnly: true }), key, 'tab', 'enter');
      expect([state.dialog, effects]).toEqual([undefined, []]);
    }
    expect(type(sample({ readOnly: true }), 't').state.notice).toMatchObject({ bad: true });
  });
});

describe('names of keys', () => {
  const none: InkKey = {
    upArrow: false,
    downArrow: false,
    leftArrow: false,
    rightArrow: false,
    pageDown: false,
    pageUp: false,
    home: false,
    end: false,
    return: false,
    escape: false,
    ctrl: false,
    tab: false,
    backspace: false,
    delete: false,
    meta: false,
  };
  it.each([
    ['j', none, ['j']],
    ['jjd', none, ['j', 'j', 'd']],
    ['/web\r', none, ['/', 'w', 'e', 'b', 'enter']],
    ['', { ...none, downArrow: true }, ['down']],
    ['\r', { ...none, return: true }, ['enter']],
    ['d', { ...none, ctrl: true }, ['ctrl-d']],
    ['d', { ...none, meta: true }, []],
  ])('%j', (input, key, names) => {
    expect(keyNames(input, key)).toEqual(names);
  });
});
