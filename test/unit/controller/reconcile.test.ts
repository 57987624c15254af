import { describe, expect, it } from 'vitest';
import type { Decision, ReconcileInput } from '../../../src/controller/instances/reconcile.ts';
import { backoffMs, reconcileInstance } from '../../../src/controller/instances/reconcile.ts';
import type { InstanceRecord, InstanceState, InstanceVerb } from '../../../src/domain/instance.ts';
import { without } from '../../../src/domain/instance.ts';
import { NOW_MS, sampleOutcome, sampleRecord, sampleWork } from '../../support/instance-samples.ts';

const KEEP_MS = 3_600_000;
const MAX_ATTEMPTS = 3;

function decide(record: InstanceRecord, patch: Partial<ReconcileInput> = {}): Decision {
  return reconcileInstance({ record, nowMs: NOW_MS, maxAttempts: MAX_ATTEMPTS, terminatedKeepMs: KEEP_MS, ...patch });
}

/** A decision in a few words: the next state, its work, and what goes with it. */
function tell({ next, send, release, forget, finished, wakeInMs }: Decision): string {
  const work = next?.work;
  const words = [
    next && `-> ${next.state}`,
    work && `${work.verb}.${work.attempt}${work.force === true ? ' forced' : ''}`,
    next?.stateReason?.code,
    release === true && 'release',
    finished && (finished.error === undefined ? 'done' : `failed ${finished.error.code}`),
    send === true && 'send',
    forget === true && 'forget',
    wakeInMs !== undefined && `wake in ${wakeInMs}`,
  ];
  return words.filter((word) => typeof word === 'string').join(', ') || 'nothing';
}

type Observed = NonNullable<ReconcileInput['observed']>;
const POWERS: Readonly<Record<string, Observed | undefined>> = {
  'not seen': undefined,
  absent: { power: 'absent' },
  running: { power: 'running' },
  paused: { power: 'paused' },
  'shutting-down': { power: 'shutting-down' },
  unknown: { power: 'unknown' },
  crashed: { power: 'crashed' },
  'off, shutdown': { power: 'shutoff', reason: 'shutdown' },
  'off, destroyed': { power: 'shutoff', reason: 'destroyed' },
  'off, crashed': { power: 'shutoff', reason: 'crashed' },
  'off, failed': { power: 'shutoff', reason: 'failed' },
  'off, unknown': { power: 'shutoff', reason: 'unknown' },
};

const RESTART = '-> running, run.1, Server.InstanceRestarted';
const STOPPED_BY_GUEST = '-> stopping, stop.1, Client.InstanceInitiatedShutdown';
const STOPPED_BY_HOST = '-> stopping, stop.1, Server.InstanceShutdown';
const STOP_AGAIN = '-> stopped, stop.1, Server.InstanceShutdown';

/** What each state does on each observation when nothing is under way; what is not named is 'nothing'. */
const IDLE: Readonly<Record<InstanceState, Readonly<Record<string, string>> | string>> = {
  pending: '-> pending, run.1',
  running: {
    absent: RESTART,
    crashed: RESTART,
    'off, shutdown': STOPPED_BY_GUEST,
    'off, destroyed': STOPPED_BY_HOST,
    'off, crashed': RESTART,
    'off, failed': RESTART,
    'off, unknown': RESTART,
  },
  stopping: '-> stopping, stop.1',
  stopped: { running: STOP_AGAIN },
  'shutting-down': '-> shutting-down, remove.1',
  terminated: `wake in ${KEEP_MS - 40_000}`,
};

const STATES = Object.keys(IDLE) as InstanceState[];

describe.each(STATES)('a %s instance with nothing under way', (state) => {
  const row = IDLE[state];
  it.each(Object.keys(POWERS))('whose domain is %s', (power) => {
    const expected = typeof row === 'string' ? row : (row[power] ?? 'nothing');
    const observed = POWERS[power];
    expect(tell(decide(sampleRecord(state), observed === undefined ? {} : { observed }))).toBe(expected);
  });

  it.each(Object.keys(POWERS))('whose domain was %s when its host went', (power) => {
    const observed = POWERS[power];
    const found = tell(
      decide(sampleRecord(state), { hostProblem: 'gone', ...(observed === undefined ? {} : { observed }) }),
    );
    // What is known of a host that does not answer is no ground to act on.
    expect(found).toBe(typeof row === 'string' ? row : 'nothing');
  });

  it('raises its generation with every intent of its own', () => {
    for (const observed of Object.values(POWERS)) {
      const { next } = decide(sampleRecord(state, { generation: 41 }), observed === undefined ? {} : { observed });
      expect(next === undefined ? undefined : [next.generation, next.work?.commandId.includes('.42.')]).toEqual(
        next === undefined ? undefined : [42, true],
      );
    }
  });
});

describe('a guest that was asked to switch off for a reboot that failed', () => {
  const asked = (): InstanceRecord => {
    const record = sampleRecord('running', { shutdownBehavior: 'terminate', work: sampleWork('reboot') });
    const { next } = decide(record, {
      outcome: sampleOutcome(record, { ok: false, error: { ...ERROR, retryable: false } }),
    });
    return without(next ?? record, 'work');
  };

  it('is started again when it does so later, once', () => {
    const { next } = decide(asked(), { observed: { power: 'shutoff', reason: 'shutdown' } });
    expect([next?.state, next?.desired, next?.work?.verb]).toEqual(['running', 'running', 'run']);
    expect(next?.stateReason?.message).toContain('for a reboot that had failed');
    const again = decide(without(next ?? asked(), 'work'), { observed: { power: 'shutoff', reason: 'shutdown' } });
    expect(tell(again)).toBe('-> shutting-down, remove.1, Client.InstanceInitiatedShutdown');
  });

  it('switched off by itself when it does so a quarter of an hour later', () => {
    const observed = { power: 'shutoff', reason: 'shutdown' };
    const decided = decide(asked(), { observed, nowMs: NOW_MS + 15 * 60_000 + 1 });
    expect(tell(decided)).toBe('-> shutting-down, remove.1, Client.InstanceInitiatedShutdown');
  });

  it('was not asked by force', () => {
    const record = sampleRecord('running', { work: { ...sampleWork('reboot'), force: true } });
    const { next } = decide(record, {
      outcome: sampleOutcome(record, { ok: false, error: { ...ERROR, retryable: false } }),
    });
    expect(next?.work?.verb).toBe('run');
    expect(next).not.toHaveProperty('offAskedAtMs');
  });

  it.each(['crashed', 'absent'])('begins anew when it was %s', (power) => {
    const { next } = decide(asked(), { observed: { power } });
    expect(next).toMatchObject({ work: { verb: 'run' }, stateReason: { code: 'Server.InstanceRestarted' } });
    expect(next).not.toHaveProperty('offAskedAtMs');
  });

  it.each([
    ['reboot', 'running'],
    ['stop', 'stopping'],
  ] as const)('has done so after a %s', (verb, state) => {
    const record = { ...asked(), state, work: sampleWork(verb) };
    expect(decide(record, { outcome: sampleOutcome(record) }).next).not.toHaveProperty('offAskedAtMs');
  });
});

describe('records that were put back from an older copy', () => {
  const off = { observed: { power: 'shutoff', reason: 'shutdown' } };
  const record = sampleRecord('running', { shutdownBehavior: 'terminate' });
  const atMs = record.stateChangedAtMs;

  it.each([
    ['never', undefined, 'shutting-down'],
    ['before', atMs - 1, 'shutting-down'],
    ['after', atMs, 'stopping'],
  ] as const)(
    'do not say that a guest which is off is to be destroyed (%s it last changed)',
    (_when, restored, state) => {
      const { next } = decide(record, { ...off, ...(restored === undefined ? {} : { restoredAtMs: restored }) });
      expect(next?.state).toBe(state);
    },
  );

  it('do not say that a launch which fails has never run', () => {
    const { launchedAtMs: _ran, ...rest } = sampleRecord('pending', { work: sampleWork('run') });
    const outcome = sampleOutcome(rest, { ok: false, error: { ...ERROR, retryable: false } });
    expect(decide(rest, { outcome }).next?.work?.verb).toBe('remove');
    expect(decide(rest, { outcome, restoredAtMs: atMs }).next).toMatchObject({
      state: 'stopping',
      work: { verb: 'stop' },
    });
  });
});

/** The states in which each verb can be under way. */
const UNDER_WAY: readonly (readonly [InstanceVerb, InstanceState])[] = [
  ['run', 'pending'],
  ['run', 'running'],
  ['stop', 'stopping'],
  ['stop', 'stopped'],
  ['reboot', 'running'],
  ['remove', 'shutting-down'],
];

const ERROR = { code: 'HypervisorError', message: 'no', retryable: true, step: 'start' };

/** verb in state -> what follows on: success, a failure that may pass, one that can't, the last attempt's, one of an unreachable host. */
const OUTCOMES: Readonly<Record<string, readonly string[]>> = {
  'run in pending': [
    '-> running, done',
    '-> pending, run.2',
    '-> stopping, stop.1 forced, Server.InternalError, failed HypervisorError',
    '-> stopping, stop.1 forced, Server.InternalError, failed HypervisorError',
    '-> pending, run.4',
  ],
  'run in running': [
    '-> running, done',
    '-> running, run.2',
    '-> stopping, stop.1 forced, Server.InternalError, failed HypervisorError',
    '-> stopping, stop.1 forced, Server.InternalError, failed HypervisorError',
    '-> running, run.4',
  ],
  'stop in stopping': ['-> stopped, done', ...['2', '2', '4', '4'].map((n) => `-> stopping, stop.${n}`)],
  'stop in stopped': ['-> stopped, done', ...['2', '2', '4', '4'].map((n) => `-> stopped, stop.${n}`)],
  'reboot in running': [
    '-> running, done',
    '-> running, reboot.2',
    '-> running, run.1, Server.InternalError, failed HypervisorError',
    '-> running, run.1, Server.InternalError, failed HypervisorError',
    '-> running, reboot.4',
  ],
  'remove in shutting-down': [
    '-> terminated, release, done',
    ...['2', '2', '4', '4'].map((n) => `-> shutting-down, remove.${n}`),
  ],
};

describe.each(UNDER_WAY)('%s under way in %s', (verb, state) => {
  const at = (attempt: number): InstanceRecord => sampleRecord(state, { work: sampleWork(verb, { attempt }) });
  const [ok, again, hopeless, last, unreachable] = OUTCOMES[`${verb} in ${state}`] ?? [];

  it('is sent as long as there is no outcome, to a host that answers', () => {
    expect(tell(decide(at(1)))).toBe('send');
    expect(tell(decide(at(1), { hostProblem: 'gone' }))).toBe('nothing');
    for (const observed of Object.values(POWERS)) {
      expect(tell(decide(at(1), observed === undefined ? {} : { observed }))).toBe('send');
    }
  });

  it('succeeds', () => {
    const record = at(1);
    expect(tell(decide(record, { outcome: sampleOutcome(record) }))).toBe(ok);
  });

  it.each([
    ['a failure that may pass', 1, { ...ERROR }, again],
    ['one that will not', 1, { ...ERROR, retryable: false }, hopeless],
    ['the last of its attempts', MAX_ATTEMPTS, { ...ERROR }, last],
    ['an unreachable host, which never counts', MAX_ATTEMPTS, { ...ERROR, code: 'Unavailable' }, unreachable],
  ] as const)('fails: %s', (_what, attempt, error, expected) => {
    const record = at(attempt);
    expect(tell(decide(record, { outcome: sampleOutcome(record, { ok: false, error }) }))).toBe(expected);
  });

  it('fails without a reason', () => {
    const record = at(1);
    const { next } = decide(record, { outcome: sampleOutcome(record, { ok: false }) });
    expect(next?.work?.lastError?.code).toBe('InternalError');
  });

  it('waits for its time after a failure, and is then sent under another name', () => {
    const record = at(1);
    const { next = record } = decide(record, { outcome: sampleOutcome(record, { ok: false, error: ERROR }) });
    expect(next.work).toMatchObject({
      notBeforeMs: NOW_MS + 1000,
      lastError: { code: 'HypervisorError', step: 'start' },
    });
    expect(next.work?.commandId).not.toBe(record.work?.commandId);
    expect(tell(decide(next, { nowMs: NOW_MS + 400 }))).toBe('wake in 600');
    expect(tell(decide(next, { nowMs: NOW_MS + 1000 }))).toBe('send');
  });

  it('does not wait longer when the wall clock is set back', () => {
    const record = sampleRecord(state, { work: sampleWork(verb, { notBeforeMs: NOW_MS + 60_001 }) });
    expect(tell(decide(record))).toBe('send');
  });
});

describe('giving up', () => {
  it('an instance that never ran is removed, and says at which step it failed', () => {
    const { launchedAtMs: _, ...fresh } = sampleRecord('pending', { work: sampleWork('run') });
    const error = { ...ERROR, retryable: false };
    const decision = decide(fresh, { outcome: sampleOutcome(fresh, { ok: false, error }) });
    expect(tell(decision)).toBe('-> shutting-down, remove.1, Server.InternalError, failed HypervisorError');
    expect(decision.next).toMatchObject({
      desired: 'terminated',
      stateReason: { code: 'Server.InternalError', message: 'no', step: 'start' },
    });
  });

  it('one that ran keeps its disk', () => {
    const record = sampleRecord('pending', { work: sampleWork('run') });
    const decision = decide(record, {
      outcome: sampleOutcome(record, { ok: false, error: { ...ERROR, retryable: false } }),
    });
    expect(decision.next).toMatchObject({ state: 'stopping', desired: 'stopped', generation: 2 });
  });

  it('never applies to removing, however often it failed', () => {
    const record = sampleRecord('shutting-down', { work: sampleWork('remove', { attempt: 10_000 }) });
    const error = { ...ERROR, retryable: false };
    const { next } = decide(record, { outcome: sampleOutcome(record, { ok: false, error }) });
    expect(next?.work).toMatchObject({ verb: 'remove', attempt: 10_001, notBeforeMs: NOW_MS + 60_000 });
  });
});

describe('what success leaves in the record', () => {
  it('the time of the first run stays', () => {
    const first = sampleRecord('pending', { work: sampleWork('run') });
    expect(decide(first, { outcome: sampleOutcome(first) }).next?.launchedAtMs).toBe(first.launchedAtMs);
    const { launchedAtMs: _, ...fresh } = first;
    expect(decide(fresh, { outcome: sampleOutcome(fresh) }).next?.launchedAtMs).toBe(NOW_MS);
  });

  it('a start has no reason, a restart by the cloud keeps its own', () => {
    const stateReason = { code: 'Server.InstanceRestarted', message: 'it was off' };
    const started = sampleRecord('pending', { stateReason, work: sampleWork('run') });
    const restarted = sampleRecord('running', { stateReason, work: sampleWork('run') });
    expect(decide(started, { outcome: sampleOutcome(started) }).next).not.toHaveProperty('stateReason');
    expect(decide(restarted, { outcome: sampleOutcome(restarted) }).next?.stateReason).toEqual(stateReason);
  });
});

describe('a terminated instance', () => {
  it('is kept for its time and then forgotten', () => {
    const record = sampleRecord('terminated', { stateChangedAtMs: NOW_MS });
    expect(tell(decide(record, { nowMs: NOW_MS + KEEP_MS - 1 }))).toBe('wake in 1');
    expect(tell(decide(record, { nowMs: NOW_MS + KEEP_MS }))).toBe('forget');
  });
});

describe('backoffMs', () => {
  it('doubles from one second to one minute', () => {
    expect([1, 2, 3, 6, 7, 100].map(backoffMs)).toEqual([1000, 2000, 4000, 32_000, 60_000, 60_000]);
  });
});
