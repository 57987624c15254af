import type { Random } from '../../src/base/random.ts';
import { randomBelow, SeededRandom } from '../../src/base/random.ts';
import type { SimCall } from '../../src/workers/drivers/simulated/sim-calls.ts';

/** What users do. `pick` chooses among the instances that they know by then; -1: the newest. */
export type UserStep =
  | { readonly kind: 'run'; readonly count: number; readonly token: boolean; readonly project: string }
  | {
      readonly kind: 'change';
      readonly call: 'StartInstances' | 'StopInstances' | 'RebootInstances' | 'TerminateInstances';
      readonly pick: number;
      readonly force: boolean;
    }
  | { readonly kind: 'host-add'; readonly host: string }
  | { readonly kind: 'host-remove'; readonly host: string };

/** What goes wrong. */
export type FaultStep =
  /** The process dies after so many more writes to the disk or calls to a host; with `power` the disk forgets what was not synced. */
  | { readonly kind: 'die'; readonly afterSteps: number; readonly power: boolean; readonly downMs: number }
  | { readonly kind: 'restart'; readonly downMs: number }
  | { readonly kind: 'host-power'; readonly host: string; readonly forMs: number }
  | { readonly kind: 'host-cut'; readonly host: string; readonly forMs: number }
  | { readonly kind: 'host-slow'; readonly host: string; readonly latencyMs: number; readonly forMs: number }
  | {
      readonly kind: 'host-fault';
      readonly host: string;
      readonly call: SimCall;
      readonly how: 'fail' | 'lose' | 'hang';
      readonly times: number;
    }
  | { readonly kind: 'guest'; readonly pick: number; readonly how: 'off' | 'crash' | 'destroy' | 'undefine' }
  | { readonly kind: 'foreign'; readonly host: string }
  | { readonly kind: 'wall'; readonly byMs: number }
  | { readonly kind: 'partition'; readonly side: 'commands' | 'reports' | 'both'; readonly forMs: number }
  /** Commands to workers are late, each by its own time, so that the newer may come before the older. */
  | { readonly kind: 'late-commands'; readonly forMs: number }
  | { readonly kind: 'disk-slow'; readonly latencyMs: number; readonly forMs: number }
  | { readonly kind: 'disk-error' }
  | { readonly kind: 'backup' }
  | { readonly kind: 'restore'; readonly empty: boolean };

export type Step = { readonly atMs: number } & (UserStep | FaultStep);

/** How this seed's world is made. */
export interface Profile {
  readonly hosts: readonly string[];
  readonly hostLatencyMs: number;
  readonly diskLatencyMs: number;
  readonly bus: {
    readonly drop: number;
    readonly double: number;
    readonly delay: number;
    readonly reorder: number;
    readonly maxDelayMs: number;
  };
  readonly guest: { readonly bootMs: number; readonly shutdownMs: number; readonly obeysAcpi: boolean };
  readonly subnetPrefix: number;
  readonly maxAttempts: number;
  readonly terminatedKeepMs: number;
  readonly snapshotOps: number;
  readonly segmentBytes: number;
  /** The store tells only what is committed, as one that several controllers share. */
  readonly committedOnly: boolean;
}

export interface Plan {
  readonly seed: number;
  readonly profile: Profile;
  readonly steps: readonly Step[];
}

/** A stream of chance of its own, so that one kind of choice does not shift the others when a step is left out. */
export function chanceFor(seed: number, purpose: string): Random {
  let hash = (seed ^ 0x9e3779b9) >>> 0;
  for (const char of purpose) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193) >>> 0;
  return new SeededRandom(Math.imul(hash, 0x85ebca6b));
}

export function oneOf<T>(random: Random, choices: readonly [T, ...T[]]): T {
  return choices[randomBelow(random, choices.length)] ?? choices[0];
}

export const between = (random: Random, low: number, high: number): number => low + randomBelow(random, high - low + 1);

export function profileOf(random: Random): Profile {
  const rough = random.unit();
  const level = rough < 0.25 ? 0 : rough < 0.7 ? 0.05 : 0.2;
  return {
    hosts: ['node1', 'node2', 'node3'].slice(0, between(random, 1, 3)),
    hostLatencyMs: oneOf(random, [0, 2, 20, 200]),
    diskLatencyMs: oneOf(random, [0, 1, 5, 40]),
    bus: {
      drop: level * random.unit(),
      double: level * 2 * random.unit(),
      delay: level * 2 * random.unit(),
      reorder: level * 3 * random.unit(),
      maxDelayMs: oneOf(random, [200, 3000, 20_000]),
    },
    guest: {
      bootMs: oneOf(random, [0, 3000]),
      shutdownMs: oneOf(random, [0, 500, 8000]),
      obeysAcpi: random.unit() < 0.85,
    },
    subnetPrefix: oneOf(random, [24, 28, 29]),
    maxAttempts: oneOf(random, [2, 5]),
    terminatedKeepMs: oneOf(random, [30_000, 600_000, 3_600_000]),
    snapshotOps: oneOf(random, [20, 100, 50_000]),
    segmentBytes: oneOf(random, [4096, 65_536, 1_048_576]),
    committedOnly: random.unit() < 0.5,
  };
}

type Maker = (random: Random, host: string) => Omit<UserStep, never> | Omit<FaultStep, never>;

const FAULTY_CALLS = [
  ...(['lookup', 'define', 'start', 'shutdown', 'destroy', 'undefine', 'inventory', 'reset'] as const),
  ...(['ensureNetwork', 'ensurePort', 'guardPort', 'removePort', 'ensureOverlay', 'removeInstanceDir'] as const),
] as const;

const change =
  (call: Extract<UserStep, { kind: 'change' }>['call']): Maker =>
  (random) => ({
    kind: 'change',
    call,
    pick: randomBelow(random, 1000),
    force: random.unit() < 0.2,
  });

/** Kind of step, how often it comes, how it is made. */
export const USER_STEPS: readonly (readonly [number, Maker])[] = [
  [
    6,
    (random) => ({
      kind: 'run',
      count: random.unit() < 0.08 ? between(random, 11, 14) : between(random, 1, 3),
      token: random.unit() < 0.8,
      project: oneOf(random, ['admin', 'admin', 'other']),
    }),
  ],
  [3, change('StopInstances')],
  [3, change('StartInstances')],
  [4, change('RebootInstances')],
  [4, change('TerminateInstances')],
  [0.4, (random) => ({ kind: 'host-add', host: `node${between(random, 2, 4)}` })],
  [0.3, (random) => ({ kind: 'host-remove', host: `node${between(random, 1, 4)}` })],
];

export const FAULT_STEPS: readonly (readonly [number, Maker])[] = [
  [
    4,
    (random) => ({
      kind: 'die',
      afterSteps: randomBelow(random, 25),
      power: random.unit() < 0.6,
      downMs: oneOf(random, [10, 3000, 90_000]),
    }),
  ],
  [0.5, () => ({ kind: 'restart', downMs: 1000 })],
  [1.5, (random, host) => ({ kind: 'host-power', host, forMs: between(random, 500, 90_000) })],
  [2, (random, host) => ({ kind: 'host-cut', host, forMs: between(random, 100, 90_000) })],
  [
    1,
    (random, host) => ({
      kind: 'host-slow',
      host,
      latencyMs: between(random, 300, 9000),
      forMs: between(random, 5000, 60_000),
    }),
  ],
  [
    3,
    (random, host) => ({
      kind: 'host-fault',
      host,
      call: oneOf(random, FAULTY_CALLS),
      how: oneOf(random, ['fail', 'lose', 'lose', 'hang']),
      times: between(random, 1, 3),
    }),
  ],
  [
    3,
    (random) => ({
      kind: 'guest',
      pick: randomBelow(random, 1000),
      how: oneOf(random, ['off', 'crash', 'destroy', 'undefine']),
    }),
  ],
  [1, (_random, host) => ({ kind: 'foreign', host })],
  [
    1,
    (random) => ({
      kind: 'wall',
      byMs: oneOf(random, [-86_400_000, -60_000, -500, 700, 45_000, 7_200_000, 172_800_000]),
    }),
  ],
  [
    1.5,
    (random) => ({
      kind: 'partition',
      side: oneOf(random, ['commands', 'reports', 'both']),
      forMs: between(random, 1000, 70_000),
    }),
  ],
  [1, (random) => ({ kind: 'disk-slow', latencyMs: between(random, 50, 2000), forMs: between(random, 1000, 20_000) })],
  [0.4, () => ({ kind: 'disk-error' })],
];

/** One row of a table by its weight; `about` is the host or process that it is to happen to. */
export function chooseStep<T>(
  random: Random,
  table: readonly (readonly [number, (random: Random, about: string) => T])[],
  about: string,
): T {
  let at = random.unit() * table.reduce((sum, [weight]) => sum + weight, 0);
  const row = table.find(([weight]) => (at -= weight) < 0) ?? table[0];
  if (row === undefined) throw new Error('the table is empty');
  return row[1](random, about);
}

/** What will be tried in this seed: the same seed, the same plan. */
export function planOf(seed: number): Plan {
  const random = chanceFor(seed, 'plan');
  const profile = profileOf(random);
  const horizonMs = oneOf(random, [20_000, 120_000, 400_000]);
  const steps: Step[] = [{ atMs: 10, kind: 'run', count: between(random, 1, 3), token: true, project: 'admin' }];
  const faultShare = random.unit() * 0.6;
  const count = between(random, 8, 32);
  for (let index = 0; index < count; index += 1) {
    const table = random.unit() < faultShare ? FAULT_STEPS : USER_STEPS;
    steps.push({
      atMs: randomBelow(random, horizonMs),
      ...(chooseStep(random, table, oneOf(random, ['node1', ...profile.hosts])) as UserStep | FaultStep),
    });
  }
  // A state that was put back, or lost whole, is rare, and changes what the other checks may say.
  if (random.unit() < 0.1) {
    const atMs = randomBelow(random, horizonMs);
    steps.push({ atMs, kind: 'backup' }, { atMs: horizonMs, kind: 'restore', empty: random.unit() < 0.3 });
  }
  steps.push(...halfMade(chanceFor(seed, 'half made'), horizonMs), ...hasty(chanceFor(seed, 'hasty'), horizonMs));
  return { seed, profile, steps: steps.sort((a, b) => a.atMs - b.atMs) };
}

/** A reservation of several transactions, whose maker dies among them and whose client does not ask again: rare, and by a stream of its own. */
function halfMade(random: Random, horizonMs: number): Step[] {
  if (random.unit() >= 0.15) return [];
  const atMs = randomBelow(random, horizonMs);
  const count = between(random, 11, 35);
  return [
    { atMs, kind: 'run', count, token: false, project: 'admin' },
    {
      atMs: atMs + oneOf(random, [0, 0, 3, 40]),
      kind: 'die',
      afterSteps: randomBelow(random, 8),
      power: random.unit() < 0.3,
      downMs: oneOf(random, [10, 3000]),
    },
  ];
}

/** Ended while it is begun, and the older command comes last. */
function hasty(random: Random, horizonMs: number): Step[] {
  if (random.unit() >= 0.1) return [];
  const atMs = randomBelow(random, horizonMs);
  return [
    { atMs, kind: 'late-commands', forMs: 5000 },
    { atMs: atMs + 10, kind: 'run', count: 1, token: true, project: 'admin' },
    { atMs: atMs + 2000, kind: 'change', call: 'TerminateInstances', pick: -1, force: false },
  ];
}
