import { randomBelow, SeededRandom } from '../../../src/base/random.ts';

export type FaultKind =
  | 'process-kill'
  | 'process-pause'
  | 'process-drain'
  | 'etcd-line-cut'
  | 'etcd-line-hold'
  | 'etcd-line-swallow'
  | 'bus-line-cut'
  | 'bus-line-hold'
  | 'bus-line-swallow'
  | 'etcd-kill'
  | 'etcd-leader-kill'
  | 'etcd-pause'
  | 'etcd-quorum'
  | 'rabbit-kill'
  | 'rabbit-pause'
  | 'rabbit-cut'
  | 'ssh-cut'
  | 'sshd-kill'
  | 'libvirtd-kill'
  | 'host-freeze'
  | 'host-power';

/** One fault: it begins `atMs` after the start of the run, and is mended `forMs` after it began. */
export interface ChaosStep {
  readonly number: number;
  readonly atMs: number;
  readonly forMs: number;
  readonly kind: FaultKind;
  /** c1, w2, n0, h1, rabbit. */
  readonly target: string;
}

interface FaultRow {
  readonly kind: FaultKind;
  readonly targets: readonly string[];
  readonly weight: number;
  readonly leastMs: number;
  readonly mostMs: number;
  /** What recovers after it was mended, and is spared meanwhile. */
  readonly restMs: number;
  /** In one run. */
  readonly times?: number;
}

const PROCESSES = ['a1', 'a2', 'c1', 'c2', 'c3', 'w1', 'w2'];
const STORED = ['a1', 'a2', 'c1', 'c2', 'c3'];
const MEMBERS = ['n0', 'n1', 'n2'];
const HOSTS = ['h1', 'h2'];
const RABBIT = ['rabbit'];

/** All that can happen. Times are those of the fault, in milliseconds. */
const FAULTS: readonly FaultRow[] = [
  { kind: 'process-kill', targets: PROCESSES, weight: 8, leastMs: 0, mostMs: 12_000, restMs: 8000 },
  { kind: 'process-pause', targets: PROCESSES, weight: 6, leastMs: 1000, mostMs: 20_000, restMs: 4000 },
  { kind: 'process-drain', targets: PROCESSES, weight: 4, leastMs: 0, mostMs: 4000, restMs: 8000 },
  { kind: 'etcd-line-cut', targets: STORED, weight: 2, leastMs: 0, mostMs: 12_000, restMs: 3000 },
  { kind: 'etcd-line-hold', targets: STORED, weight: 2, leastMs: 1000, mostMs: 20_000, restMs: 3000 },
  { kind: 'etcd-line-swallow', targets: STORED, weight: 3, leastMs: 1000, mostMs: 12_000, restMs: 3000 },
  { kind: 'bus-line-cut', targets: PROCESSES, weight: 2, leastMs: 0, mostMs: 12_000, restMs: 3000 },
  { kind: 'bus-line-hold', targets: PROCESSES, weight: 2, leastMs: 1000, mostMs: 20_000, restMs: 3000 },
  { kind: 'bus-line-swallow', targets: PROCESSES, weight: 3, leastMs: 1000, mostMs: 12_000, restMs: 3000 },
  { kind: 'etcd-kill', targets: MEMBERS, weight: 2, leastMs: 500, mostMs: 10_000, restMs: 4000 },
  { kind: 'etcd-leader-kill', targets: MEMBERS, weight: 2, leastMs: 500, mostMs: 10_000, restMs: 4000 },
  { kind: 'etcd-pause', targets: MEMBERS, weight: 2, leastMs: 1000, mostMs: 15_000, restMs: 4000 },
  { kind: 'etcd-quorum', targets: MEMBERS, weight: 1, leastMs: 2000, mostMs: 10_000, restMs: 6000 },
  { kind: 'rabbit-kill', targets: RABBIT, weight: 1, leastMs: 0, mostMs: 3000, restMs: 20_000 },
  { kind: 'rabbit-pause', targets: RABBIT, weight: 1, leastMs: 1000, mostMs: 15_000, restMs: 5000 },
  { kind: 'rabbit-cut', targets: RABBIT, weight: 2, leastMs: 0, mostMs: 0, restMs: 6000 },
  { kind: 'ssh-cut', targets: HOSTS, weight: 3, leastMs: 0, mostMs: 0, restMs: 1000 },
  { kind: 'sshd-kill', targets: HOSTS, weight: 2, leastMs: 0, mostMs: 8000, restMs: 3000 },
  { kind: 'libvirtd-kill', targets: HOSTS, weight: 3, leastMs: 0, mostMs: 6000, restMs: 3000 },
  { kind: 'host-freeze', targets: HOSTS, weight: 2, leastMs: 1000, mostMs: 20_000, restMs: 3000 },
  { kind: 'host-power', targets: HOSTS, weight: 2, leastMs: 1000, mostMs: 6000, restMs: 10_000, times: 1 },
];

/** Of things with the same first letter so many may be in trouble at a time: the rest must be able to work. Members of etcd share one place. */
const AT_ONCE: Readonly<Record<string, number>> = { a: 1, c: 2, w: 1, n: 1, r: 1, h: 1 };
const LEAST_GAP_MS = 1000;
const MOST_GAP_MS = 4000;
/** The cloud is left alone at first, so that there is something to disturb. */
const FIRST_MS = 3000;

const groupOf = (target: string): string => target.slice(0, 1);

/** The same seed and time give the same plan. */
export function planChaos(seed: number, totalMs: number): ChaosStep[] {
  const random = new SeededRandom(seed);
  const steps: ChaosStep[] = [];
  const busy: { readonly target: string; readonly untilMs: number }[] = [];
  const between = (least: number, most: number): number => least + randomBelow(random, most - least + 1);
  const isFree = (target: string, atMs: number): boolean => {
    const others = busy.filter(({ untilMs }) => untilMs > atMs);
    const same = others.filter((one) => groupOf(one.target) === groupOf(target));
    return same.length < (AT_ONCE[groupOf(target)] ?? 1) && same.every((one) => one.target !== target);
  };
  for (let atMs = FIRST_MS; atMs < totalMs; atMs += between(LEAST_GAP_MS, MOST_GAP_MS)) {
    const rows = FAULTS.map((row) => ({ ...row, free: row.targets.filter((target) => isFree(target, atMs)) })).filter(
      ({ free, kind, times = Infinity }) =>
        free.length > 0 && steps.filter((step) => step.kind === kind).length < times,
    );
    let at = randomBelow(
      random,
      rows.reduce((sum, { weight }) => sum + weight, 0),
    );
    const row = rows.find(({ weight }) => (at -= weight) < 0);
    if (row === undefined) continue;
    const target = row.free[randomBelow(random, row.free.length)] ?? '';
    const forMs = between(row.leastMs, row.mostMs);
    steps.push({ number: steps.length + 1, atMs, forMs, kind: row.kind, target });
    busy.push({ target, untilMs: atMs + forMs + row.restMs });
  }
  return steps;
}

export const stepText = ({ number, atMs, forMs, kind, target }: ChaosStep): string =>
  `${number}. ${(atMs / 1000).toFixed(1)} s: ${kind} ${target}${forMs > 0 ? ` for ${(forMs / 1000).toFixed(1)} s` : ''}`;
