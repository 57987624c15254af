import type { BusFaults, Hop } from '../../../src/adapters/bus/bus-faults.ts';
import { randomBelow } from '../../../src/base/random.ts';
import type { CallFault, EtcdModel } from '../../support/etcd-model.ts';
import { doHostFault } from '../faults.ts';
import type { HostFaultStep } from '../faults.ts';
import { chanceFor } from '../plan.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterPlan, ClusterStep } from './cluster-plan.ts';
import type { ClusterSimulation } from './run-cluster.ts';

type Doing = {
  readonly [K in ClusterStep['kind']]: (sim: ClusterSimulation, step: Extract<ClusterStep, { kind: K }>) => void;
};

const DOING: Doing = {
  kill: ({ cluster }, { who, downMs }) => cluster.process(who).die('is killed', downMs),
  'die-soon': ({ cluster }, { who, afterSteps, downMs }) =>
    Object.assign(cluster.process(who), { stepsLeft: afterSteps, downMs }),
  pause: ({ cluster }, { who, forMs }) => cluster.process(who).pause(forMs),
  end: ({ cluster }, { who, downMs }) => void cluster.end(cluster.process(who), downMs),
  join: ({ cluster }, { who }) => cluster.process(who).start(),
  'etcd-cut': ({ cluster, scheduler }, { who, forMs }) => {
    cluster.setEtcdCut(cluster.process(who), true);
    scheduler.after(forMs, () => cluster.setEtcdCut(cluster.process(who), false));
  },
  'bus-cut': ({ cluster, scheduler }, { who, forMs, noticedMs }) => {
    cluster.process(who).cutBus(noticedMs);
    scheduler.after(forMs, () => cluster.process(who).healBus());
  },
  'no-quorum': ({ etcd, scheduler, history }, { forMs }) => {
    etcd.quorum = false;
    scheduler.after(forMs, () => {
      history.add('etcd', 'has a leader');
      etcd.quorum = true;
    });
  },
  'watch-cut': ({ cluster, etcd }, { who }) => {
    const { life } = cluster.process(who);
    if (life !== undefined) etcd.cutWatches(`${who}.${life.number}`);
  },
  compact: ({ etcd }) => etcd.compact(etcd.state.revision),
  'lease-over': ({ etcd }, { who }) => {
    const key = `novactl/d/alive/controller/${who}`;
    const lease = etcd.state.leases().find(({ keys }) => keys.has(key));
    if (lease !== undefined && etcd.quorum) etcd.endLease(lease.id);
  },
  unheard: ({ faults, scheduler, plan }, { forMs }) => {
    Object.assign(faults, { drop: 1, applies: ({ type }: Hop): boolean => type === 'host-report' });
    scheduler.after(forMs, () => healed(faults, plan));
  },
  'process-wall': (sim, { who, byMs }) => {
    const process = sim.cluster.process(who);
    process.wallOffsetMs += byMs;
    sim.skewMs = Math.max(sim.skewMs, 2 * Math.abs(process.wallOffsetMs));
  },
};

/** Unless all is well already. */
function healed(faults: BusFaults, { profile }: ClusterPlan): void {
  if (faults.drop !== 0) faults.drop = profile.bus.drop;
  delete faults.applies;
}

/** Makes something go wrong. What can't be now (a dead process does not die) is left out. */
export function doClusterFault(sim: ClusterSimulation, step: ClusterStep | HostFaultStep): void {
  const { kind, ...rest } = step;
  sim.history.add('fault', `${kind} ${JSON.stringify(rest)}`);
  if (!(kind in DOING)) return doHostFault(sim, step as HostFaultStep);
  const doing = DOING[kind as ClusterStep['kind']] as (sim: ClusterSimulation, step: ClusterStep) => void;
  doing(sim, step as ClusterStep);
}

/** The lines to etcd are bad by chance; processes die at their calls when that is due. */
export function faultyEtcd(etcd: EtcdModel, cluster: Cluster, { seed, profile }: ClusterPlan): void {
  const random = chanceFor(seed, 'etcd lines');
  const kinds: readonly (() => CallFault)[] = [
    () => ({ kind: 'lostRequest' }),
    () => ({ kind: 'lostAnswer' }),
    () => ({ kind: 'lostAnswer' }),
    () => ({ kind: 'lateEffect', ms: 1 + randomBelow(random, 5000) }),
    () => ({ kind: 'delay', ms: 1 + randomBelow(random, 2000) }),
  ];
  etcd.faults = ({ client, name }) => {
    const process = cluster.actorOf(client);
    if (process?.step(`before ${name}`) === true) return { kind: 'lostRequest' };
    // Its answer is heard by nobody.
    if (process?.step(`after ${name}`) === true) return undefined;
    return random.unit() < profile.etcd.fault ? kinds[randomBelow(random, kinds.length)]?.() : undefined;
  };
  etcd.watchFaults = () => (random.unit() < profile.etcd.watchCut ? 'cut' : undefined);
}
