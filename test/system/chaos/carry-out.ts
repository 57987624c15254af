import { setTimeout as sleep } from 'node:timers/promises';
import { errorText } from '../../../src/base/errors.ts';
import type { CuttingProxy } from '../../support/cutting-proxy.ts';
import type { ClusterLines } from '../support/cluster-lines.ts';
import type { LabCluster } from '../support/lab-cluster.ts';
import type { NamespaceHost } from '../support/namespace-host.ts';
import type { ChaosStep, FaultKind } from './chaos-plan.ts';

/** What was done, by the clock of the run. */
export interface DoneStep extends ChaosStep {
  readonly beganMs: number;
  readonly endedMs: number;
  /** It could not be done or not be mended, which is a failure of the run. */
  readonly problem?: string;
}

interface Fault {
  /** Answers what mends it. */
  (cluster: LabCluster, target: string): Promise<() => Promise<unknown>>;
}

const hostOf = (cluster: LabCluster, name: string): NamespaceHost => {
  const host = cluster.lab.hosts.find((one) => one.name === name);
  if (host === undefined) throw new Error(`there is no host ${name}`);
  return host;
};
const memberOf = (target: string): number => Number(target.slice(1));
const nothing = (): Promise<void> => Promise.resolve();

async function killMember(cluster: LabCluster, index: number): Promise<() => Promise<void>> {
  await cluster.etcd.kill(index);
  return () => cluster.etcd.start(index);
}

/** A line breaks in one of three ways: it is reset and refused, it is silent, or what was asked arrives and the answer does not. */
const BREAK = {
  cut: (line: CuttingProxy) => line.refuse(),
  hold: (line: CuttingProxy) => line.hold(),
  swallow: (line: CuttingProxy) => line.swallowAnswers(),
} as const;

function breakLines(way: keyof typeof BREAK, of: (lines: ClusterLines) => readonly CuttingProxy[]): Fault {
  return (cluster, target) => {
    const lines = of(cluster.lines(target));
    for (const line of lines) BREAK[way](line);
    return Promise.resolve(() => {
      for (const line of lines) line.pass();
      return Promise.resolve();
    });
  };
}

const BEGIN: Readonly<Record<FaultKind, Fault>> = {
  'process-kill': async (cluster, target) => {
    const process = cluster.process(target);
    await process.kill();
    return () => process.start();
  },
  'process-pause': (cluster, target) => {
    const process = cluster.process(target);
    process.pause();
    return Promise.resolve(() => Promise.resolve(process.resume()));
  },
  'process-drain': async (cluster, target) => {
    const process = cluster.process(target);
    const code = await process.stop();
    return async () => {
      await process.start();
      if (code !== 0) throw new Error(`${target} ended with ${String(code)} when it was told to`);
    };
  },
  'etcd-line-cut': breakLines('cut', ({ etcd }) => etcd),
  'etcd-line-hold': breakLines('hold', ({ etcd }) => etcd),
  'etcd-line-swallow': breakLines('swallow', ({ etcd }) => etcd),
  'bus-line-cut': breakLines('cut', ({ bus }) => [bus]),
  'bus-line-hold': breakLines('hold', ({ bus }) => [bus]),
  'bus-line-swallow': breakLines('swallow', ({ bus }) => [bus]),
  'etcd-kill': (cluster, target) => killMember(cluster, memberOf(target)),
  'etcd-leader-kill': async (cluster) => killMember(cluster, await cluster.etcd.leader()),
  'etcd-pause': async (cluster, target) => {
    await cluster.etcd.stop(memberOf(target));
    return () => Promise.resolve(cluster.etcd.cont(memberOf(target)));
  },
  'etcd-quorum': async (cluster, target) => {
    const spared = memberOf(target);
    const dead = [0, 1, 2].filter((index) => index !== spared);
    await Promise.all(dead.map((index) => cluster.etcd.kill(index)));
    return () => cluster.etcd.startAll();
  },
  'rabbit-kill': async (cluster) => {
    await cluster.rabbit.killBroker();
    return () => cluster.rabbit.startBroker();
  },
  'rabbit-pause': (cluster) => {
    cluster.rabbit.signalBroker('SIGSTOP');
    return Promise.resolve(() => Promise.resolve(cluster.rabbit.signalBroker('SIGCONT')));
  },
  'rabbit-cut': async (cluster) => {
    await cluster.rabbit.closeAllConnections('chaos');
    return nothing;
  },
  'ssh-cut': async (cluster, target) => {
    await hostOf(cluster, target).cutConnections();
    return nothing;
  },
  'sshd-kill': async (cluster, target) => {
    await hostOf(cluster, target).killSshd();
    return () => hostOf(cluster, target).startSshd();
  },
  'libvirtd-kill': async (cluster, target) => {
    await hostOf(cluster, target).killLibvirtd();
    return () => hostOf(cluster, target).startLibvirtd();
  },
  'host-freeze': async (cluster, target) => {
    await hostOf(cluster, target).freeze();
    return () => hostOf(cluster, target).thaw();
  },
  'host-power': async (cluster, target) => {
    await hostOf(cluster, target).powerOff();
    return () => hostOf(cluster, target).powerOn();
  },
};

/** Things that share a place are done one after the other, also when one takes longer than planned. */
const placeOf = (target: string): string => (target.startsWith('n') ? 'etcd' : target);

/** Carries the steps out at their times; resolves when all of them are mended. */
export async function carryOut(
  cluster: LabCluster,
  steps: readonly ChaosStep[],
  tell: (step: DoneStep) => void,
): Promise<DoneStep[]> {
  const start = performance.now();
  const now = (): number => Math.round(performance.now() - start);
  const places = new Map<string, Promise<unknown>>();
  const one = async (step: ChaosStep): Promise<DoneStep> => {
    const beganMs = now();
    let problem: string | undefined;
    try {
      const mend = await BEGIN[step.kind](cluster, step.target);
      await sleep(step.forMs);
      await mend();
    } catch (error) {
      problem = errorText(error);
    }
    const done = { ...step, beganMs, endedMs: now(), ...(problem === undefined ? {} : { problem }) };
    tell(done);
    return done;
  };
  return Promise.all(
    steps.map(async (step) => {
      await sleep(step.atMs);
      const before = places.get(placeOf(step.target)) ?? Promise.resolve();
      const work = before.then(() => one(step));
      places.set(placeOf(step.target), work);
      return work;
    }),
  );
}

/** Everything is up again, whatever the steps left behind. */
export async function healAll(cluster: LabCluster): Promise<void> {
  await cluster.etcd.startAll();
  for (const process of cluster.processes) {
    cluster.lines(process.name).heal();
    process.resume();
    if (!process.alive) process.spawn();
  }
  await Promise.all(cluster.processes.map((process) => process.ready()));
}
