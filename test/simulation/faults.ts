import { unreachable } from '../../src/base/assert.ts';
import type { Hop } from '../../src/adapters/bus/bus-faults.ts';
import type { SimHost } from '../../src/workers/drivers/simulated/sim-host.ts';
import type { FaultStep } from './plan.ts';
import type { Simulation } from './run-plan.ts';

const DAY_MS = 86_400_000;

/** Makes something go wrong. What the world can't do now (no such host, no such guest) is left out. */
export function doFault(sim: Simulation, step: FaultStep): void {
  const { kind, ...rest } = step;
  sim.history.add('fault', `${kind} ${JSON.stringify(rest)}`);
  switch (step.kind) {
    case 'die':
      sim.node.death = step;
      sim.node.stepsLeft = step.afterSteps;
      return;
    case 'restart':
      void sim.node.restart(step.downMs);
      return;
    case 'host-power':
    case 'host-cut':
    case 'host-slow':
    case 'host-fault':
    case 'foreign':
      onHost(
        sim,
        step,
        sim.world.hosts().find((host) => host.name === step.host),
      );
      return;
    case 'guest':
      onGuest(sim, step);
      return;
    case 'wall':
      sim.node.wallOffsetMs += step.byMs;
      if (Math.abs(step.byMs) >= DAY_MS) sim.daysSkipped = true;
      return;
    case 'partition':
      partition(sim, step);
      return;
    case 'disk-slow':
      sim.node.diskLatencyMs = step.latencyMs;
      sim.scheduler.after(step.forMs, () => (sim.node.diskLatencyMs = sim.plan.profile.diskLatencyMs));
      return;
    case 'disk-error':
      sim.node.diskErrors = 1;
      return;
    case 'backup':
      sim.node.backup();
      return;
    case 'restore':
      sim.replaced = true;
      sim.users.forget();
      sim.node.restore(step.empty);
      return;
    default:
      unreachable(step);
  }
}

type HostStep = Extract<FaultStep, { host: string }>;

function onHost(sim: Simulation, step: HostStep, host: SimHost | undefined): void {
  if (host === undefined) return;
  const { scheduler, checker } = sim;
  switch (step.kind) {
    case 'host-power':
      checker.hostByOthers(() => host.powerOff());
      scheduler.after(step.forMs, () => host.powerOn());
      return;
    case 'host-cut':
      host.disconnect();
      scheduler.after(step.forMs, () => host.reconnect());
      return;
    case 'host-slow': {
      const { options } = host;
      host.options = { ...options, latencyMs: step.latencyMs };
      scheduler.after(step.forMs, () => (host.options = options));
      return;
    }
    case 'host-fault':
      host.calls.inject({ call: step.call, how: step.how, times: step.times });
      return;
    case 'foreign':
      if (host.domains.named('debian') === undefined) checker.hostByOthers(() => host.addForeignDomain('debian'));
      return;
    default:
      unreachable(step);
  }
}

function onGuest(sim: Simulation, { pick, how }: Extract<FaultStep, { kind: 'guest' }>): void {
  const { users, world, checker } = sim;
  const name = users.instances[pick % users.instances.length] ?? '';
  const host = world.hosts().find(({ domains }) => domains.named(name) !== undefined);
  if (host === undefined) return;
  const actions = {
    off: () => host.guestPowersOff(name),
    crash: () => host.crash(name),
    destroy: () => host.destroyByHand(name),
    undefine: () => host.undefineByHand(name),
  };
  checker.byOthers(name, actions[how]);
}

/** Messages of one direction between controller and worker, or of both, are lost for a while. */
function partition(
  { faults, scheduler, plan }: Simulation,
  { side, forMs }: Extract<FaultStep, { kind: 'partition' }>,
): void {
  const isCommand = ({ topic, kind }: Hop): boolean =>
    topic.startsWith('worker.') ? kind !== 'reply' : kind === 'reply';
  const cut = (hop: Hop): boolean =>
    hop.type !== 'operation' && (side === 'both' || (side === 'commands') === isCommand(hop));
  Object.assign(faults, { drop: 1, applies: cut });
  scheduler.after(forMs, () => {
    faults.drop = faults.drop === 0 ? 0 : plan.profile.bus.drop;
    delete faults.applies;
  });
}
