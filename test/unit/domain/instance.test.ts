import { describe, expect, it } from 'vitest';
import type { InstanceState } from '../../../src/domain/instance.ts';
import {
  commandId,
  INSTANCE_STATE_CODE,
  INSTANCE_TRANSITIONS,
  newWork,
  readCommandId,
  transition,
  without,
} from '../../../src/domain/instance.ts';
import { NOW_MS, sampleRecord } from '../../support/instance-samples.ts';

const STATES = Object.keys(INSTANCE_TRANSITIONS) as InstanceState[];

/** Where each state may lead, in one line: a change here is a change of what users may rely on. */
const LEGAL = [
  'pending -> running stopping stopped shutting-down',
  'running -> stopping shutting-down',
  'stopping -> stopped shutting-down',
  'stopped -> pending shutting-down',
  'shutting-down -> terminated',
  'terminated ->',
];

describe('the life of an instance', () => {
  it('has these steps and no other', () => {
    const lines = STATES.map((state) => [`${state} ->`, ...INSTANCE_TRANSITIONS[state]].join(' '));
    expect(lines).toEqual(LEGAL);
  });

  it('has the codes of EC2', () => {
    expect(INSTANCE_STATE_CODE).toEqual({
      ...{ pending: 0, running: 16, 'shutting-down': 32, terminated: 48, stopping: 64, stopped: 80 },
    });
  });

  describe.each(STATES)('from %s', (from) => {
    it.each(STATES)('to %s', (to) => {
      const record = sampleRecord(from);
      if (from === to) {
        expect(transition(record, to, NOW_MS, { generation: 7 })).toEqual({ ...record, generation: 7 });
      } else if (INSTANCE_TRANSITIONS[from].includes(to)) {
        expect(transition(record, to, NOW_MS)).toEqual({ ...record, state: to, stateChangedAtMs: NOW_MS });
      } else {
        expect(() => transition(record, to, NOW_MS)).toThrow(`can't go from ${from} to ${to}`);
      }
    });
  });

  it('ends: from every state terminated is reached, and nothing comes after it', () => {
    const reaches = (state: InstanceState, seen: InstanceState[] = []): boolean =>
      state === 'terminated' ||
      INSTANCE_TRANSITIONS[state].some((next) => !seen.includes(next) && reaches(next, [...seen, state]));
    expect(STATES.filter((state) => !reaches(state))).toEqual([]);
    expect(INSTANCE_TRANSITIONS.terminated).toEqual([]);
  });
});

describe('work', () => {
  it('has a name that tells intent, attempt and the moment of the intent, and nothing else', () => {
    const stop = { instanceId: 'i-1', generation: 3, verb: 'stop', attempt: 2, sinceMs: 35 } as const;
    expect(commandId(stop)).toBe('i-1.3.stop.2.z');
    expect(newWork('i-1', 3, 'stop', NOW_MS)).toEqual({
      verb: 'stop',
      commandId: `i-1.3.stop.1.${NOW_MS.toString(36)}`,
      attempt: 1,
      sinceMs: NOW_MS,
    });
    expect(newWork('i-1', 3, 'stop', NOW_MS, true).force).toBe(true);
  });

  it('is known from the names of its commands, whichever attempt they are', () => {
    const name = { instanceId: 'i-1', generation: 3, verb: 'stop', attempt: 1, sinceMs: NOW_MS } as const;
    const { work, ...rest } = readCommandId(commandId(name));
    expect(rest).toEqual({ generation: 3, sinceMs: NOW_MS });
    expect(readCommandId(commandId({ ...name, attempt: 2 })).work).toBe(work);
    for (const other of [{ instanceId: 'i-2' }, { generation: 4 }, { verb: 'run' }, { sinceMs: 1 }] as const) {
      expect(readCommandId(commandId({ ...name, ...other })).work).not.toBe(work);
    }
    expect(readCommandId('something else')).toMatchObject({ generation: NaN, sinceMs: NaN });
  });

  it('is taken out of a record by name', () => {
    const record = sampleRecord('running', { work: newWork('i-1', 1, 'run', NOW_MS) });
    expect(without(record, 'work', 'name')).toEqual(sampleRecord('running'));
    expect(record.work).toBeDefined();
  });
});
