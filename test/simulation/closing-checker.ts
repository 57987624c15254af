import type { InstanceRecord } from '../../src/domain/instance.ts';
import type { OperationRecord, ReservationRecord } from '../../src/domain/records.ts';
import type { SimHost } from '../../src/workers/drivers/simulated/sim-host.ts';
import { Violation } from './history.ts';
import type { SimulatedHosts } from '../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import type { RecordChecker } from './record-checker.ts';
import type { Records } from './store-model.ts';
import type { Users } from './users.ts';
import type { WorldChecker } from './world-checker.ts';

export type Problem = string | undefined;

/** What is looked at when all faults are over. */
export interface Judged {
  readonly model: Records;
  readonly world: SimulatedHosts;
  readonly users: Users;
  readonly records: RecordChecker;
  readonly checker: WorldChecker;
  /** A state was put back or lost: what was acknowledged before may be gone, and hosts may have what no record knows. */
  replaced: boolean;
  /** Whole days were skipped, so that what is kept for a day may be forgotten. */
  daysSkipped: boolean;
  /** Which process is not up that should be. */
  notUp(): Problem;
  /** Instances that wait to be looked at, anywhere. */
  depth(): number;
}

/** The first thing that is wrong. Later questions are asked only when the earlier ones have no answer. */
export function first<T>(of: Iterable<T>, problem: (one: T) => Problem): Problem {
  for (const one of of) {
    const found = problem(one);
    if (found !== undefined) return found;
  }
  return undefined;
}

const liveRecords = ({ model }: Judged): InstanceRecord[] =>
  model
    .range<InstanceRecord>('instance/')
    .map(({ value }) => value)
    .filter(({ state }) => state !== 'terminated');

/** Why not everything is as it is wanted yet; undefined when it is. */
export function restingProblem(sim: Judged): Problem {
  const { users } = sim;
  const notUp = sim.notUp();
  if (notUp !== undefined) return notUp;
  if (users.waiting > 0) return `${users.waiting} calls have no answer`;
  const live = liveRecords(sim);
  return (
    recordProblem(sim) ??
    first(live, (record) => hostsLack(sim, record)) ??
    // What was there before a state was put back may be known to nobody, and must stay.
    (sim.replaced ? undefined : first(sim.world.hosts(), (host) => hostHasMore(sim, host, live)))
  );
}

function recordProblem({ model }: Judged): Problem {
  return (
    first(model.range<InstanceRecord>('instance/'), ({ value: { id, work, state, desired } }) => {
      if (work !== undefined) return `${id} is ${state} with work: ${JSON.stringify(work)}`;
      return state === desired ? undefined : `${id} is ${state}, and ${desired} is wanted`;
    }) ??
    first(model.range<OperationRecord>('operation/'), ({ value: { id, name, status, pending } }) =>
      status === 'running' ? `operation ${id} (${name}) has not ended: ${pending.join(' ')}` : undefined,
    ) ??
    first(model.range<ReservationRecord>('reservation/'), ({ value }) =>
      value.remaining === undefined ? undefined : `reservation ${value.id} has instances that are not made`,
    )
  );
}

function hostOf({ model, world }: Judged, hostId: string): SimHost | undefined {
  const name = model.get<{ name: string }>(`host/${hostId}`)?.name;
  return world.hosts().find((host) => host.name === name);
}

/** What a record says must be on its host. */
function hostsLack(sim: Judged, record: InstanceRecord): Problem {
  const { id, state, nic } = record;
  const host = hostOf(sim, record.hostId);
  const power = host?.domains.named(id)?.power ?? 'absent';
  if (state === 'stopped') return power === 'running' ? `${id} is stopped, and its domain runs` : undefined;
  if (power !== 'running') return `${id} is ${state}, and its domain is ${power}`;
  const leases = [...(host?.networks.values() ?? [])].flatMap((network) => [...network.leases.values()]);
  if (!leases.some(({ mac, address }) => mac === nic.mac && address === nic.address)) {
    return `${id} has no address from its host's DHCP server`;
  }
  return sim.replaced || host?.guarded.has(nic.tap) === true ? undefined : `the tap of ${id} is not guarded`;
}

/** What no record wants must not be there. */
function hostHasMore({ records }: Judged, host: SimHost, live: readonly InstanceRecord[]): Problem {
  const wanted = new Set(live.map(({ id }) => id));
  const macs = new Set(live.map(({ nic }) => nic.mac));
  const things = [...host.domains.all().map(({ name }) => name), ...host.disks.keys()];
  return (
    first(things, (id) => (records.past.has(id) && !wanted.has(id) ? `${host.name} still has ${id}` : undefined)) ??
    first(host.networks, ([bridge, { leases }]) => {
      if (leases.size === 0) return `${host.name} has the bridge ${bridge}, which nobody uses`;
      const stray = [...leases.keys()].find((mac) => !macs.has(mac));
      return stray === undefined ? undefined : `${host.name} gives an address to ${stray}, which nobody has`;
    })
  );
}

/** What must be true of the whole run. */
export function closingProblem(sim: Judged): Violation | undefined {
  const { model, world, users, records, checker, replaced, daysSkipped } = sim;
  const broken = (invariant: string, problem: Problem): Violation | undefined =>
    problem === undefined ? undefined : new Violation(invariant, problem);
  const depth = sim.depth();
  const tooMany = records.reservations > users.runs && !replaced && !daysSkipped;
  return (
    broken(
      '7 unknown is not gone',
      first(world.hosts(), ({ name, domains }) =>
        (domains.named('debian')?.starts ?? 1) === 1 ? undefined : `a domain of somebody else on ${name} was started`,
      ),
    ) ??
    broken(
      '3 an older fact never overwrites a newer one',
      first(replaced ? [] : records.past, ([id, { foundOff, restarted }]) => {
        const others = checker.offByOthers.get(id) ?? 0;
        return foundOff + restarted > others
          ? `${id} was found off ${foundOff} times and lost ${restarted} times, and was switched off by others ${others} times`
          : undefined;
      }),
    ) ??
    broken(
      '5 what was acknowledged is done',
      first(users.ended, (id) => {
        const state = model.get<InstanceRecord>(`instance/${id}`)?.state ?? 'terminated';
        return state === 'terminated' ? undefined : `the end of ${id} was acknowledged, and it is ${state}`;
      }),
    ) ??
    broken(
      '5 one call has one effect',
      tooMany ? `${users.runs} calls made ${records.reservations} reservations` : undefined,
    ) ??
    broken('9 queues are bounded', depth > 0 ? `${depth} instances are still looked at` : undefined)
  );
}
