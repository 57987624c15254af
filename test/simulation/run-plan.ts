import { Readable } from 'node:stream';
import type { BusFaults } from '../../src/adapters/bus/bus-faults.ts';
import { sha256Hex } from '../../src/base/ids.ts';
import type { CallMeta } from '../../src/controller/operations/handler.ts';
import { createSimulatedHosts } from '../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import type { SimHostOptions } from '../../src/workers/drivers/simulated/sim-options.ts';
import { SIM_HOST_DEFAULTS } from '../../src/workers/drivers/simulated/sim-options.ts';
import { bootSector } from '../support/sim-cloud.ts';
import type { Judged } from './closing-checker.ts';
import { closingProblem, restingProblem } from './closing-checker.ts';
import { doFault } from './faults.ts';
import { History, Violation } from './history.ts';
import type { Plan, Step, UserStep } from './plan.ts';
import { chanceFor } from './plan.ts';
import { RecordChecker } from './record-checker.ts';
import { Scheduler, SimClock } from './scheduler.ts';
import { SimNode } from './sim-node.ts';
import { StoreModel } from './store-model.ts';
import { Users } from './users.ts';
import { WorldChecker } from './world-checker.ts';

/** Everything of one simulation. */
export interface Simulation extends Judged {
  readonly plan: Plan;
  readonly scheduler: Scheduler;
  readonly history: History;
  readonly faults: BusFaults;
  readonly model: StoreModel;
  readonly node: SimNode;
}

export interface Result {
  readonly seed: number;
  readonly violation?: { readonly invariant: string; readonly message: string };
  readonly digest: string;
  readonly virtualMs: number;
  readonly events: number;
  readonly lives: number;
  readonly acknowledged: number;
  readonly transactions: number;
  readonly lines: readonly string[];
}

export const USER_KINDS: readonly string[] = ['run', 'change', 'host-add', 'host-remove'] satisfies UserStep['kind'][];
export const BLOB_KEY = 'upload/blob-00000000000000001';
export const SETUP_META: CallMeta = {
  requestId: 'req-setup',
  principal: { name: 'admin', projectId: 'admin', roles: ['cloudadmin'], from: 'sim' },
};
/** Longer than any back-off, timeout and sweep together. */
export const PATIENCE_MS = 3_600_000;
/** What is still on its way after all is as it should be must change nothing. */
export const CALM_MS = 120_000;

/** Plays the plan to its end and then waits until everything is as the records want it. */
export async function runPlan(plan: Plan): Promise<Result> {
  let violation: Violation | undefined;
  const fail = (found: Violation): void => {
    violation ??= found;
  };
  const sim = build(plan, fail);
  const failed = (): boolean => violation !== undefined;
  try {
    await setUp(sim, failed);
    await play(sim, failed);
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
    lives: sim.node.lives,
    acknowledged: sim.users.acknowledged,
    transactions: sim.model.rev,
    lines: sim.history.lines,
  };
}

function build(plan: Plan, fail: (violation: Violation) => void): Simulation {
  const { seed, profile } = plan;
  const scheduler = new Scheduler();
  const history = new History(() => scheduler.nowMs);
  const world = createSimulatedHosts({ clock: new SimClock(scheduler, () => scheduler.nowMs) });
  const latency = chanceFor(seed, 'host latency');
  for (const name of ['node1', 'node2', 'node3', 'node4']) {
    const options = { ...SIM_HOST_DEFAULTS, guest: profile.guest, memoryMib: 4096 };
    world.host(name).options = withLatency(options, () => Math.round(latency.unit() * 2 * profile.hostLatencyMs));
  }
  const faults: BusFaults = {};
  const records = new RecordChecker(() => node.wallMs());
  const model = new StoreModel((change) => records.check(change, model));
  const node: SimNode = new SimNode({ seed, profile, scheduler, world, model, records, history, faults, fail });
  const checker = new WorldChecker({ world, model, records, history });
  const users = new Users({ node, scheduler, history, records, random: chanceFor(seed, 'users'), fail });
  const guarded = (check: () => void): void => {
    try {
      check();
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      fail(error);
    }
  };
  world.onCall = (at, call, session, host) => {
    if (at === 'after') guarded(() => checker.afterCall(call, session, host));
    node.step(`${at} ${call}`);
  };
  return {
    ...{ plan, scheduler, history, world, faults, model, records, checker, node, users },
    ...{ replaced: false, daysSkipped: false },
    notUp: () => (node.cloud === undefined ? 'the process is not up' : undefined),
    depth: () => node.cloud?.controller?.instances.depth ?? 0,
  };
}

/** Each call takes its own time, so that what was asked later may be done earlier. */
export function withLatency(options: SimHostOptions, latencyMs: () => number): SimHostOptions {
  return Object.defineProperty({ ...options }, 'latencyMs', { get: latencyMs, enumerable: true });
}

/** Hosts and an image, in a world where nothing goes wrong yet. */
async function setUp(sim: Simulation, failed: () => boolean): Promise<void> {
  const { node, scheduler, plan, world } = sim;
  await node.blobs.put(BLOB_KEY, Readable.from([bootSector()]));
  node.start();
  await scheduler.runUntil(60_000, () => node.cloud !== undefined || failed());
  if (failed()) return;
  let ready = false;
  const work = async (): Promise<void> => {
    for (const Name of plan.profile.hosts) {
      await node.ask((cloud) =>
        cloud.gateway.unary('AddHost', { Name, Transport: { kind: 'simulated', name: Name } }, SETUP_META),
      );
    }
    await node.ask((cloud) =>
      cloud.gateway.unary('RegisterImage', { Name: 'still', Kind: 'machine', BlobKey: BLOB_KEY }, SETUP_META),
    );
    ready = true;
  };
  let problem: unknown;
  work().catch((error: unknown) => (problem = error));
  await scheduler.runUntil(120_000, () => ready || failed() || problem !== undefined);
  if (problem !== undefined) throw problem as Error;
  for (const host of world.hosts()) host.images.add(sha256Hex(bootSector()));
}

async function play(sim: Simulation, failed: () => boolean): Promise<void> {
  const { scheduler, plan, faults } = sim;
  const startMs = scheduler.nowMs;
  Object.assign(faults, plan.profile.bus);
  for (const step of plan.steps) {
    await scheduler.runUntil(startMs + step.atMs, failed);
    if (failed()) return;
    doStep(sim, step);
  }
  // What the last steps began goes on among faults for a while.
  await scheduler.runUntil(scheduler.nowMs + 20_000, failed);
}

function doStep(sim: Simulation, step: Step): void {
  if (USER_KINDS.includes(step.kind)) sim.users.do(step as Step & UserStep);
  else doFault(sim, step as Exclude<Step, UserStep>);
}

/** No fault any more: whatever was wanted comes about, and then nothing moves. */
async function comeToRest(sim: Simulation, failed: () => boolean): Promise<void> {
  const { scheduler, faults, world, node, history } = sim;
  history.add('checker', 'all is well from here on');
  Object.assign(faults, { drop: 0, double: 0, delay: 0, reorder: 0 });
  delete faults.applies;
  node.stepsLeft = undefined;
  node.diskErrors = 0;
  node.diskLatencyMs = 1;
  for (const host of world.hosts()) {
    host.calls.clearFaults();
    host.reconnect();
  }
  // A call that hangs for ever ends with the process alone.
  if (sim.plan.steps.some((step) => step.kind === 'host-fault' && step.how === 'hang')) {
    node.kill({ power: false, downMs: 1000 });
  }
  node.start();
  const endMs = scheduler.nowMs + PATIENCE_MS;
  let problem: string | undefined = 'nothing was looked at';
  while (problem !== undefined && scheduler.nowMs < endMs && !failed()) {
    await scheduler.runUntil(scheduler.nowMs + 5000, failed);
    problem = restingProblem(sim);
  }
  if (failed()) return;
  if (problem !== undefined) throw new Violation('3 everything comes to rest', problem);
  await scheduler.runUntil(scheduler.nowMs + CALM_MS, failed);
  if (failed()) return;
  const moved = restingProblem(sim);
  if (moved !== undefined) throw new Violation('3 what has come to rest stays at rest', moved);
  const extra = closingProblem(sim);
  if (extra !== undefined) throw extra;
}
