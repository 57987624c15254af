import type { Random } from '../../../src/base/random.ts';
import { randomBelow } from '../../../src/base/random.ts';
import type { FaultStep, Profile, UserStep } from '../plan.ts';
import { between, chanceFor, chooseStep, FAULT_STEPS, oneOf, profileOf, USER_STEPS } from '../plan.ts';

/** What goes wrong between and in the processes. `who` is a process's name. */
export type ClusterStep =
  /** kill -9 at once. `downMs` absent: it does not come back. */
  | { readonly kind: 'kill'; readonly who: string; readonly downMs?: number }
  /** It dies after so many more messages, transactions or calls to a host. */
  | { readonly kind: 'die-soon'; readonly who: string; readonly afterSteps: number; readonly downMs: number }
  | { readonly kind: 'pause'; readonly who: string; readonly forMs: number }
  /** SIGTERM, and a start afterwards. */
  | { readonly kind: 'end'; readonly who: string; readonly downMs: number }
  /** A process that was not there before. */
  | { readonly kind: 'join'; readonly who: string }
  | { readonly kind: 'etcd-cut'; readonly who: string; readonly forMs: number }
  | { readonly kind: 'bus-cut'; readonly who: string; readonly forMs: number; readonly noticedMs: number }
  | { readonly kind: 'no-quorum'; readonly forMs: number }
  | { readonly kind: 'watch-cut'; readonly who: string }
  /** All history before now is gone. */
  | { readonly kind: 'compact' }
  /** The lease of a controller is over although it lives. */
  | { readonly kind: 'lease-over'; readonly who: string }
  /** What workers report of their hosts is lost: reports are told to all, and confirmed by none. Outcomes are heard. */
  | { readonly kind: 'unheard'; readonly forMs: number }
  | { readonly kind: 'process-wall'; readonly who: string; readonly byMs: number };

export interface ClusterProfile extends Profile {
  /** Controllers keep a copy of the replica on disk. */
  readonly keepsCopy: boolean;
  readonly etcd: {
    /** Of each message one way. */
    readonly latencyMs: number;
    /** Chance of a call: its request, or its answer, is lost, or it is late. */
    readonly fault: number;
    /** Chance of an answer of a watch: the stream is cut instead. */
    readonly watchCut: number;
    readonly watchBatch: number;
  };
}

export type AnyStep = { readonly atMs: number } & (UserStep | FaultStep | ClusterStep);

export interface ClusterPlan {
  readonly seed: number;
  readonly profile: ClusterProfile;
  readonly steps: readonly AnyStep[];
}

type Maker = (random: Random, who: string) => ClusterStep;

const CONTROLLERS = ['c1', 'c2', 'c3'] as const;
const WORKERS = ['w1', 'w2'] as const;
export const PROCESSES: readonly string[] = [...CONTROLLERS, ...WORKERS];

/** Faults of hosts and guests, as in the world of one process. */
const OF_HOSTS = ['host-power', 'host-cut', 'host-slow', 'host-fault', 'guest', 'foreign', 'partition'] as const;

const CLUSTER_STEPS: readonly (readonly [number, Maker])[] = [
  [
    2,
    (random, who) => {
      const downMs = oneOf(random, [10, 3000, 20_000, 90_000, undefined]);
      return { kind: 'kill', who, ...(downMs === undefined ? {} : { downMs }) };
    },
  ],
  [
    4,
    (random, who) => ({
      ...{ kind: 'die-soon', who, afterSteps: randomBelow(random, 40) },
      downMs: oneOf(random, [10, 3000, 20_000, 90_000]),
    }),
  ],
  [4, (random, who) => ({ kind: 'pause', who, forMs: oneOf(random, [3000, 9000, 20_000, 20_000, 45_000]) })],
  [1, (random, who) => ({ kind: 'end', who, downMs: oneOf(random, [1000, 30_000]) })],
  [0.7, (random) => ({ kind: 'join', who: oneOf(random, ['c4', 'w3']) })],
  [2, (random, who) => ({ kind: 'etcd-cut', who, forMs: between(random, 1000, 60_000) })],
  [
    2,
    (random, who) => ({
      ...{ kind: 'bus-cut', who, forMs: between(random, 1000, 60_000) },
      noticedMs: oneOf(random, [10, 3000, 8000]),
    }),
  ],
  [1, (random) => ({ kind: 'no-quorum', forMs: between(random, 1000, 60_000) })],
  [2, (_random, who) => ({ kind: 'watch-cut', who })],
  [1.5, () => ({ kind: 'compact' })],
  [1, (random) => ({ kind: 'lease-over', who: oneOf(random, CONTROLLERS) })],
  [1, (random, who) => ({ kind: 'process-wall', who, byMs: oneOf(random, [-45_000, -500, 700, 45_000]) })],
];

function clusterProfileOf(random: Random): ClusterProfile {
  const rough = random.unit();
  const level = rough < 0.3 ? 0 : rough < 0.75 ? 0.02 : 0.1;
  return {
    ...profileOf(random),
    hosts: ['node1', 'node2', 'node3'].slice(0, between(random, 2, 3)),
    etcd: {
      latencyMs: oneOf(random, [1, 5, 50, 300]),
      fault: level * random.unit(),
      watchCut: level * random.unit(),
      watchBatch: oneOf(random, [3, 20, 1000]),
    },
    keepsCopy: random.unit() < 0.5,
  };
}

const ofHosts = FAULT_STEPS.filter(([, make]) => {
  const { kind } = make(chanceFor(0, 'kind'), 'node1') as FaultStep;
  return (OF_HOSTS as readonly string[]).includes(kind);
});

/** What will be tried in this seed of the world of several processes. */
export function clusterPlanOf(seed: number): ClusterPlan {
  const random = chanceFor(seed, 'cluster plan');
  const profile = clusterProfileOf(random);
  const horizonMs = oneOf(random, [20_000, 60_000, 200_000]);
  const steps: AnyStep[] = [{ atMs: 10, kind: 'run', count: between(random, 1, 3), token: true, project: 'admin' }];
  const share = random.unit() * 0.7;
  const count = between(random, 8, 30);
  for (let index = 0; index < count; index += 1) {
    const host = oneOf(random, ['node1', ...profile.hosts]);
    const who = oneOf(random, [...CONTROLLERS, ...WORKERS]);
    const chance = random.unit();
    const step =
      chance > share
        ? chooseStep(random, USER_STEPS, host)
        : chance > share * 0.7
          ? chooseStep(random, ofHosts, host)
          : chooseStep(random, CLUSTER_STEPS, who);
    steps.push({ atMs: randomBelow(random, horizonMs), ...step } as AnyStep);
  }
  steps.push(...halfMade(chanceFor(seed, 'half made'), horizonMs), ...unheard(chanceFor(seed, 'unheard'), horizonMs));
  return { seed, profile, steps: steps.sort((a, b) => a.atMs - b.atMs) };
}

/** As in the world of one process; whichever controller takes the call dies soon. */
function halfMade(random: Random, horizonMs: number): AnyStep[] {
  if (random.unit() >= 0.15) return [];
  const atMs = randomBelow(random, horizonMs);
  const count = between(random, 11, 35);
  return [
    { atMs, kind: 'run', count, token: false, project: 'admin' },
    ...CONTROLLERS.map((who) => ({
      ...{ atMs, kind: 'die-soon' as const, who, afterSteps: between(random, 1, 12) },
      downMs: oneOf(random, [10, 3000, 20_000]),
    })),
  ];
}

/** Hosts are taken over by a controller that has not heard what was made there since. */
function unheard(random: Random, horizonMs: number): AnyStep[] {
  if (random.unit() >= 0.15) return [];
  const atMs = randomBelow(random, horizonMs);
  const heir = oneOf(random, CONTROLLERS);
  const killedMs = atMs + between(random, 3000, 9000);
  return [
    { atMs, kind: 'unheard', forMs: between(random, 20_000, 30_000) },
    { atMs: atMs + 10, kind: 'run', count: between(random, 1, 3), token: true, project: 'admin' },
    ...CONTROLLERS.filter((who) => who !== heir).map((who) => ({
      ...{ atMs: killedMs, kind: 'kill' as const, who, downMs: 20_000 },
    })),
  ];
}
