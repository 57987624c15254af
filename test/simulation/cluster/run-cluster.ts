import { Readable } from 'node:stream';
import type { BusFaults } from '../../../src/adapters/bus/bus-faults.ts';
import { sha256Hex } from '../../../src/base/ids.ts';
import { randomBelow } from '../../../src/base/random.ts';
import { createSimulatedHosts } from '../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { SIM_HOST_DEFAULTS } from '../../../src/workers/drivers/simulated/sim-options.ts';
import { EtcdModel } from '../../support/etcd-model.ts';
import { bootSector } from '../../support/sim-cloud.ts';
import { closingProblem } from '../closing-checker.ts';
import type { Judged } from '../closing-checker.ts';
import type { HostFaultStep } from '../faults.ts';
import { History, Violation } from '../history.ts';
import type { UserStep } from '../plan.ts';
import { chanceFor } from '../plan.ts';
import { RecordChecker } from '../record-checker.ts';
import { BLOB_KEY, CALM_MS, PATIENCE_MS, SETUP_META, USER_KINDS, withLatency } from '../run-plan.ts';
import type { Result } from '../run-plan.ts';
import { Scheduler, SimClock } from '../scheduler.ts';
import { Users } from '../users.ts';
import { WorldChecker } from '../world-checker.ts';
import { clusterProblem } from './cluster-closing.ts';
import { doClusterFault, faultyEtcd } from './cluster-faults.ts';
import type { AnyStep, ClusterPlan, ClusterStep } from './cluster-plan.ts';
import { PROCESSES } from './cluster-plan.ts';
import { Cluster } from './cluster.ts';
import { CommittedHistory } from './committed-history.ts';
import { OwnershipChecker } from './ownership-checker.ts';
import { StoreChecker } from './store-checker.ts';

/** Everything of one simulation of several processes. */
export interface ClusterSimulation extends Judged {
  readonly plan: ClusterPlan;
  readonly scheduler: Scheduler;
  readonly history: History;
  readonly faults: BusFaults;
  readonly etcd: EtcdModel;
  readonly committed: CommittedHistory;
  readonly cluster: Cluster;
  /** So much the wall clocks of two processes differ at most. */
  skewMs: number;
}

const EPOCH_MS = 1_700_000_000_000;

/** Plays the plan to its end and then waits until everything is as the records want it. */
export async function runClusterPlan(plan: ClusterPlan): Promise<Result> {
  let violation: Violation | undefined;
  const fail = (found: Violation): void => {
    violation ??= found;
  };
  const sim = build(plan, fail);
  const failed = (): boolean => violation !== undefined;
  try {
    await setUp(sim, failed);
    if (!failed()) await play(sim, failed);
    if (!failed()) await comeToRest(sim, failed);
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    fail(error);
  }
  if (violation !== undefined) sim.history.add('checker', `${violation.invariant}: ${violation.message}`);
  return {
    seed: plan.seed,
    ...(violation === undefined ? {} : { violation: { invariant: violation.invariant, message: violation.message } }),
    digest: sim.history.digest(),
    virtualMs: sim.scheduler.nowMs,
    events: sim.scheduler.count,
    lives: [...sim.cluster.processes.values()].reduce((sum, { lives }) => sum + lives, 0),
    acknowledged: sim.users.acknowledged,
    transactions: sim.committed.commits.length,
    lines: sim.history.lines,
  };
}

function build(plan: ClusterPlan, fail: (violation: Violation) => void): ClusterSimulation {
  const { seed, profile } = plan;
  const scheduler = new Scheduler();
  const history = new History(() => scheduler.nowMs);
  const clock = new SimClock(scheduler, () => scheduler.nowMs);
  const guarded = (check: () => void): void => {
    try {
      check();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      fail(error);
    }
  };
  const world = createSimulatedHosts({ clock });
  const latency = chanceFor(seed, 'host latency');
  for (const name of ['node1', 'node2', 'node3', 'node4']) {
    const options = { ...SIM_HOST_DEFAULTS, guest: profile.guest, memoryMib: 4096 };
    world.host(name).options = withLatency(options, () => Math.round(latency.unit() * 2 * profile.hostLatencyMs));
  }
  const line = chanceFor(seed, 'etcd latency');
  const etcd = new EtcdModel({
    clock,
    latencyMs: () => randomBelow(line, 2 * profile.etcd.latencyMs),
    watchBatch: profile.etcd.watchBatch,
  });
  const faults: BusFaults = {};
  const committed = new CommittedHistory(etcd, () => scheduler.nowMs, guarded);
  const stores = new StoreChecker(committed);
  const cluster = new Cluster({
    ...{ seed, profile, scheduler, world, etcd, committed, stores, history, faults, fail },
  });
  const records = new RecordChecker(
    () => EPOCH_MS + scheduler.nowMs,
    () => sim.skewMs,
  );
  const checker = new WorldChecker({ world, model: committed, records, history });
  const users = new Users({ node: cluster, scheduler, history, records, random: chanceFor(seed, 'users'), fail });
  const ownership = new OwnershipChecker(committed);
  committed.onCommit = (commit) => {
    const keys = [...commit.ops].map(([key, text]) => (text === undefined ? `-${key}` : key));
    history.add(commit.by?.process.name ?? 'etcd', `commits ${commit.rev}: ${keys.join(' ')}`);
    stores.committed(commit);
    ownership.committed(commit);
    records.check(commit, committed);
  };
  world.onCall = (at, call, session, host) => {
    if (at === 'after') guarded(() => checker.afterCall(call, session, host));
    cluster.actorOf(session.processName)?.step(`${at} ${call}`);
  };
  const sim: ClusterSimulation = {
    ...{ plan, scheduler, history, world, faults, model: committed, records, checker, users, etcd, committed, cluster },
    ...{ replaced: false, daysSkipped: false, skewMs: 0 },
    notUp: () =>
      [...cluster.processes.values()].find((one) => one.lives > 0 && one.life !== undefined && !cluster.isUp(one))
        ?.name,
    depth: () => cluster.up().reduce((sum, { roles }) => sum + (roles.controller?.instances.depth ?? 0), 0),
  };
  return sim;
}

/** Processes, hosts and an image, in a world where nothing goes wrong yet. */
async function setUp(sim: ClusterSimulation, failed: () => boolean): Promise<void> {
  const { cluster, scheduler, plan, world } = sim;
  await cluster.blobs.put(BLOB_KEY, Readable.from([bootSector()]));
  for (const name of PROCESSES) cluster.process(name).start();
  const ready = (): boolean => PROCESSES.every((name) => cluster.isUp(cluster.process(name)));
  await scheduler.runUntil(60_000, () => ready() || failed());
  if (failed()) return;
  if (!ready()) throw new Violation('5 a process starts', `${cluster.up().length} processes are up after a minute`);
  await scheduler.runUntil(scheduler.nowMs + 5000, failed);
  let done = false;
  let problem: unknown;
  const work = async (): Promise<void> => {
    for (const Name of plan.profile.hosts) {
      const input = { Name, Transport: { kind: 'simulated', name: Name } };
      await cluster.ask(({ gateway }) => gateway.unary('AddHost', input, SETUP_META));
    }
    const image = { Name: 'still', Kind: 'machine', BlobKey: BLOB_KEY };
    await cluster.ask(({ gateway }) => gateway.unary('RegisterImage', image, SETUP_META));
    done = true;
  };
  work().catch((error: unknown) => (problem = error));
  await scheduler.runUntil(scheduler.nowMs + 120_000, () => done || failed() || problem !== undefined);
  if (problem !== undefined) throw new Violation('5 a cloud without faults works', String((problem as Error).stack));
  if (!done && !failed()) throw new Violation('5 a cloud without faults works', 'hosts are not added in two minutes');
  for (const host of world.hosts()) host.images.add(sha256Hex(bootSector()));
}

async function play(sim: ClusterSimulation, failed: () => boolean): Promise<void> {
  const { scheduler, plan, faults, etcd, cluster } = sim;
  const startMs = scheduler.nowMs;
  Object.assign(faults, plan.profile.bus);
  faultyEtcd(etcd, cluster, plan);
  for (const step of plan.steps) {
    await scheduler.runUntil(startMs + step.atMs, failed);
    if (failed()) return;
    doStep(sim, step);
  }
  // What the last steps began goes on among faults for a while.
  await scheduler.runUntil(scheduler.nowMs + 20_000, failed);
}

function doStep(sim: ClusterSimulation, step: AnyStep): void {
  if (USER_KINDS.includes(step.kind)) sim.users.do(step as AnyStep & UserStep);
  else doClusterFault(sim, step as AnyStep & (ClusterStep | HostFaultStep));
}

/** Nothing is broken any more. */
function heal(sim: ClusterSimulation): void {
  const { faults, world, cluster, history, etcd, plan } = sim;
  history.add('checker', 'all is well from here on');
  Object.assign(faults, { drop: 0, double: 0, delay: 0, reorder: 0 });
  delete faults.applies;
  etcd.faults = () => undefined;
  etcd.watchFaults = () => undefined;
  etcd.quorum = true;
  for (const host of world.hosts()) {
    host.calls.clearFaults();
    host.reconnect();
  }
  const hung = plan.steps.some((step) => step.kind === 'host-fault' && step.how === 'hang');
  for (const process of cluster.processes.values()) {
    process.stepsLeft = undefined;
    cluster.setEtcdCut(process, false);
    process.healBus();
    process.wake();
    // A call that hangs for ever ends with the process alone.
    if (hung && process.name.startsWith('w')) process.die('is killed', 1000);
  }
  // Some may be gone for good, but not all.
  for (const kind of ['c', 'w']) {
    const all = [...cluster.processes.values()].filter(({ name }) => name.startsWith(kind));
    if (all.every(({ life }) => life === undefined)) all[0]?.start();
  }
}

async function comeToRest(sim: ClusterSimulation, failed: () => boolean): Promise<void> {
  const { scheduler } = sim;
  heal(sim);
  const endMs = scheduler.nowMs + PATIENCE_MS;
  let problem: string | undefined = 'nothing was looked at';
  // What is not at rest in the first minutes is looked at more seldom.
  for (let stepMs = 5000; problem !== undefined && scheduler.nowMs < endMs && !failed(); stepMs += 500) {
    await scheduler.runUntil(scheduler.nowMs + stepMs, failed);
    problem = clusterProblem(sim);
  }
  if (failed()) return;
  if (problem !== undefined) throw new Violation('3 everything comes to rest', problem);
  await scheduler.runUntil(scheduler.nowMs + CALM_MS, failed);
  if (failed()) return;
  const moved = clusterProblem(sim);
  if (moved !== undefined) throw new Violation('3 what has come to rest stays at rest', moved);
  const extra = closingProblem(sim);
  if (extra !== undefined) throw extra;
}
