import { unreachable } from '../../src/base/assert.ts';
import type { Hop } from '../../src/adapters/bus/bus-faults.ts';
import type { SimHost } from '../../src/workers/drivers/simulated/sim-host.ts';
import type { FaultStep, Plan } from './plan.ts';
import type { Simulation } from './run-plan.ts';

const DAY_MS = 86_400_000;

type Doing = { readonly [K in FaultStep['kind']]: (sim: Simulation, step: Extract<FaultStep, { kind: K }>) => void };

const DOING: Doing = {
  die: ({ node }, step) => {
    node.death = step;
    node.stepsLeft = step.afterSteps;
  },
  restart: ({ node }, { downMs }) => void node.restart(downMs),
  'host-power': onHost,
  'host-cut': onHost,
  'host-slow': onHost,
  'host-fault': onHost,
  foreign: onHost,
  guest: onGuest,
  wall: (sim, { byMs }) => {
    sim.node.wallOffsetMs += byMs;
    sim.daysSkipped ||= Math.abs(byMs) >= DAY_MS;
  },
  partition,
  'late-commands': ({ faults, scheduler, plan }, { forMs }) => {
    Object.assign(faults, {
      ...{ delay: 1, maxDelayMs: 20_000 },
      applies: ({ type }: Hop): boolean => type === 'instance-command',
    });
    scheduler.after(forMs, () => {
      const { delay, maxDelayMs } = plan.profile.bus;
      Object.assign(faults, { delay: faults.delay === 0 ? 0 : delay, maxDelayMs });
      delete faults.applies;
    });
  },
  'disk-slow': onState,
  'disk-error': onState,
  backup: onState,
  restore: onState,
};

/** Makes something go wrong. What the world can't do now (no such host, no such guest) is left out. */
export function doFault(sim: Simulation, step: FaultStep): void {
  const { kind, ...rest } = step;
  sim.history.add('fault', `${kind} ${JSON.stringify(rest)}`);
  const doing = DOING[kind] as (sim: Simulation, step: FaultStep) => void;
  doing(sim, step);
}

type StateStep = Extract<FaultStep, { kind: 'disk-slow' | 'disk-error' | 'backup' | 'restore' }>;

/** The cloud's own disk. */
function onState(sim: Simulation, step: StateStep): void {
  const { node, users, scheduler, plan } = sim;
  switch (step.kind) {
    case 'disk-slow':
      node.diskLatencyMs = step.latencyMs;
      scheduler.after(step.forMs, () => (node.diskLatencyMs = plan.profile.diskLatencyMs));
      return;
    case 'disk-error':
      node.diskErrors = 1;
      return;
    case 'backup':
      node.backup();
      return;
    case 'restore':
      sim.replaced = true;
      users.forget();
      node.restore(step.empty);
      return;
    default:
      unreachable(step);
  }
}

type HostStep = Extract<FaultStep, { host: string }>;
export type HostFaultStep = Extract<FaultStep, { host: string } | { kind: 'guest' } | { kind: 'partition' }>;
/** What faults of hosts, guests and messages need of a world. */
type Worldly = Pick<Simulation, 'world' | 'scheduler' | 'checker' | 'users' | 'faults'> & {
  readonly plan: Pick<Plan, 'profile'>;
};

/** The faults that any world has. */
export function doHostFault(sim: Worldly, step: HostFaultStep): void {
  if (step.kind === 'guest') onGuest(sim, step);
  else if (step.kind === 'partition') partition(sim, step);
  else onHost(sim, step);
}

function onHost(sim: Worldly, step: HostStep): void {
  const host: SimHost | undefined = sim.world.hosts().find(({ name }) => name === step.host);
  if (host === undefined) return;
  const { scheduler, checker } = sim;
  switch (step.kind) {
    case 'host-power':
      checker.hostByOthers(host, () => host.powerOff());
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
      if (host.domains.named('debian') === undefined) checker.madeByOthers(host, () => host.addForeignDomain('debian'));
      return;
    default:
      unreachable(step);
  }
}

function onGuest(sim: Worldly, { pick, how }: Extract<FaultStep, { kind: 'guest' }>): void {
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
  { faults, scheduler, plan }: Worldly,
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
