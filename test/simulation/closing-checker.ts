import type { InstanceRecord } from '../../src/domain/instance.ts';
import type { OperationRecord, ReservationRecord } from '../../src/domain/records.ts';
import { Violation } from './history.ts';
import type { Simulation } from './run-plan.ts';

/** Why not everything is as it is wanted yet; undefined when it is. */
export function restingProblem(sim: Simulation): string | undefined {
  const { model, node, users } = sim;
  if (node.cloud === undefined) return 'the process is not up';
  if (users.waiting > 0) return `${users.waiting} calls have no answer`;
  for (const { value: record } of model.range<InstanceRecord>('instance/')) {
    if (record.work !== undefined) return `${record.id} is ${record.state} with work: ${JSON.stringify(record.work)}`;
    if (record.state !== record.desired) return `${record.id} is ${record.state}, and ${record.desired} is wanted`;
  }
  for (const { value } of model.range<OperationRecord>('operation/')) {
    if (value.status === 'running')
      return `operation ${value.id} (${value.name}) has not ended: ${value.pending.join(' ')}`;
  }
  for (const { value } of model.range<ReservationRecord>('reservation/')) {
    if (value.remaining !== undefined) return `reservation ${value.id} has instances that are not made`;
  }
  return worldProblem(sim);
}

/** Hosts have what the records say, and nothing of ours besides. */
function worldProblem({ model, world, replaced, records }: Simulation): string | undefined {
  const live = model
    .range<InstanceRecord>('instance/')
    .map(({ value }) => value)
    .filter(({ state }) => state !== 'terminated');
  const wanted = new Map(live.map((record) => [record.id, record]));
  for (const record of live) {
    const name = model.get<{ name: string }>(`host/${record.hostId}`)?.name;
    const host = world.hosts().find((one) => one.name === name);
    const domain = host?.domains.named(record.id);
    if (record.state === 'running' && domain?.power !== 'running') {
      return `${record.id} is running, and its domain is ${domain?.power ?? 'absent'}`;
    }
    if (record.state === 'stopped' && domain?.power === 'running')
      return `${record.id} is stopped, and its domain runs`;
    if (record.state === 'running' && !replaced && host?.guarded.has(record.nic.tap) !== true)
      return `the tap of ${record.id} is not guarded`;
    const lease = [...(host?.networks.values() ?? [])].flatMap(({ leases }) => [...leases.values()]);
    const right = lease.some(({ mac, address }) => mac === record.nic.mac && address === record.nic.address);
    if (record.state === 'running' && !right) return `${record.id} has no address from its host's DHCP server`;
  }
  // What was there before a state was put back may be known to nobody, and must stay.
  if (replaced) return undefined;
  for (const host of world.hosts()) {
    const extra = [...host.domains.all().map(({ name }) => name), ...host.disks.keys()].find(
      (name) => records.past.has(name) && !wanted.has(name),
    );
    if (extra !== undefined) return `${host.name} still has ${extra}, which is gone`;
    const macs = new Set(live.map(({ nic }) => nic.mac));
    const leases = [...host.networks.values()].flatMap((network) => [...network.leases.keys()]);
    if (leases.some((mac) => !macs.has(mac))) return `${host.name} has a DHCP entry that nobody owns`;
    const bridges = [...host.networks].filter(([, network]) => network.leases.size === 0);
    if (bridges[0] !== undefined) return `${host.name} has the bridge ${bridges[0][0]}, which nobody uses`;
  }
  return undefined;
}

/** What must be true of the whole run. */
export function closingProblem(sim: Simulation): Violation | undefined {
  const { model, world, users, records, checker, replaced, daysSkipped, node } = sim;
  for (const host of world.hosts()) {
    const foreign = host.domains.named('debian');
    if (foreign !== undefined && foreign.starts !== 1)
      return new Violation('7 unknown is not gone', 'a domain of somebody else was started again');
  }
  for (const [id, { foundOff }] of records.past) {
    const others = checker.offByOthers.get(id) ?? 0;
    if (foundOff > others && !replaced) {
      return new Violation(
        '3 an older fact never overwrites a newer one',
        `${id} was called switched off ${foundOff} times, and was ${others} times`,
      );
    }
  }
  for (const id of users.ended) {
    const state = model.get<InstanceRecord>(`instance/${id}`)?.state ?? 'terminated';
    if (state !== 'terminated')
      return new Violation('5 what was acknowledged is done', `the end of ${id} was acknowledged, and it is ${state}`);
  }
  if (records.reservations > users.runs && !replaced && !daysSkipped) {
    return new Violation('5 one call has one effect', `${users.runs} calls made ${records.reservations} reservations`);
  }
  const depth = node.cloud?.controller.instances.depth ?? 0;
  if (depth > 0) return new Violation('9 queues are bounded', `${depth} instances are still looked at`);
  return undefined;
}
