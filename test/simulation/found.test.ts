import { describe, expect, it } from 'vitest';
import type { FaultStep, Profile, Step } from './plan.ts';
import { runPlan } from './run-plan.ts';

/** A world in which nothing is slow and nothing is lost. */
const CALM: Profile = {
  hosts: ['node1'],
  hostLatencyMs: 2,
  diskLatencyMs: 1,
  bus: { drop: 0, double: 0, delay: 0, reorder: 0, maxDelayMs: 200 },
  guest: { bootMs: 0, shutdownMs: 500, obeysAcpi: true },
  subnetPrefix: 24,
  maxAttempts: 5,
  terminatedKeepMs: 3_600_000,
  snapshotOps: 100,
  segmentBytes: 65_536,
  committedOnly: false,
};

const run = (atMs: number, token = true): Step => ({ atMs, kind: 'run', count: 1, token, project: 'admin' });
const change = (atMs: number, call: 'RebootInstances' | 'StopInstances', force = false): Step => ({
  ...{ atMs, kind: 'change', call, pick: 0, force },
});
const fault = (atMs: number, step: FaultStep): Step => ({ atMs, ...step });

/** What was wrong, as short as shrinking made it; each broke an invariant before it was mended. */
const FOUND: readonly (readonly [string, Partial<Profile>, readonly Step[]])[] = [
  [
    'a reboot whose power-off is heard of after its end leaves the instance running',
    { hostLatencyMs: 0, guest: { bootMs: 0, shutdownMs: 8000, obeysAcpi: true } },
    [run(10), change(20_000, 'RebootInstances')],
  ],
  [
    'a call without a token that comes twice is one call',
    { bus: { drop: 0, double: 1, delay: 0, reorder: 0, maxDelayMs: 200 } },
    [run(10, false)],
  ],
  [
    'a state put back does not wait for ever for work that its hosts take for old',
    {},
    [
      run(10),
      fault(20_000, { kind: 'backup' }),
      change(30_000, 'RebootInstances'),
      change(60_000, 'StopInstances'),
      fault(120_000, { kind: 'restore', empty: false }),
    ],
  ],
  [
    'a host that was away when it was to be taken over, and has seen a later epoch, is opened with a later one',
    {},
    [
      run(10),
      fault(20_000, { kind: 'backup' }),
      fault(30_000, { kind: 'restart', downMs: 1000 }),
      fault(100_000, { kind: 'host-power', host: 'node1', forMs: 60_000 }),
      fault(120_000, { kind: 'restore', empty: false }),
    ],
  ],
  // Seeds 20750 and 31943.
  ...(['StopInstances', 'RebootInstances'] as const).map(
    (call) =>
      [
        `a reboot that a state put back asks for again is not done again after a later ${call}`,
        { guest: { bootMs: 0, shutdownMs: 8000, obeysAcpi: true } },
        [
          run(10),
          change(20_000, 'RebootInstances'),
          fault(22_000, { kind: 'backup' }),
          change(60_000, call),
          fault(120_000, { kind: 'restore', empty: false }),
        ],
      ] as const,
  ),
  [
    'a guest that obeys a reboot only after that has failed is started again, and not taken for one that ended by itself',
    { maxAttempts: 2, guest: { bootMs: 0, shutdownMs: 8000, obeysAcpi: true } },
    [
      run(10),
      change(20_000, 'RebootInstances'),
      fault(20_500, { kind: 'host-fault', host: 'node1', call: 'lookup', how: 'fail', times: 2 }),
    ],
  ],
  // Seeds 205 and 256, once attempts at one reboot were counted as one.
  ...(
    [
      ['start', 'lose', false],
      ['reset', 'lose', true],
      ['guardPort', 'fail', false],
      ['guardPort', 'fail', true],
    ] as const
  ).map(
    ([call, how, force]) =>
      [
        `a reboot${force ? ' by force' : ''} happens once, also when ${call} ${how === 'lose' ? 'lost its answer' : 'failed after it'}`,
        {},
        [
          run(10),
          fault(15_000, { kind: 'host-fault', host: 'node1', call, how, times: 1 }),
          change(20_000, 'RebootInstances', force),
        ],
      ] as const,
  ),
];

describe('what the simulation has found', () => {
  it.each(FOUND)('[sim] %s', async (_what, profile, steps) => {
    const result = await runPlan({ seed: 1, profile: { ...CALM, ...profile }, steps });
    expect(result.violation, result.lines.join('\n')).toBeUndefined();
    expect(result.acknowledged).toBeGreaterThan(0);
  });
});
