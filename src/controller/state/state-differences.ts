import type { InstanceRecord } from '../../domain/instance.ts';
import { PREFIX } from '../../domain/keys.ts';
import type { HostRecord } from '../../domain/records.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { ControllerContext } from '../controller-context.ts';
import { heldRecord } from '../hosts/held.ts';
import { hostProblem } from '../hosts/host-problem.ts';
import { orphansOf } from '../hosts/host-view.ts';

export type StateDifferences = OperationOutput<'DescribeStateDifferences'>;
type HostDifferences = StateDifferences['hosts'][number];
type Cloud = Pick<ControllerContext, 'store' | 'observations'>;

/** The power that a domain may have in each state; states in which something is under way may have any. */
const POWER: Partial<Readonly<Record<InstanceRecord['state'], readonly string[]>>> = {
  running: ['running', 'paused'],
  stopped: ['shutoff', 'crashed'],
};

/** In what the records and the last reports of the hosts differ. */
export function stateDifferences(cloud: Cloud): StateDifferences {
  const { store } = cloud;
  const byHost = new Map<string, InstanceRecord[]>();
  for (const { value } of store.range<InstanceRecord>(PREFIX.instance)) {
    const there = byHost.get(value.hostId) ?? [];
    byHost.set(value.hostId, there);
    if (value.state !== 'terminated') there.push(value);
  }
  const hosts = store
    .range<HostRecord>(PREFIX.host)
    .map(({ value }) => hostDifferences(cloud, value, byHost.get(value.id) ?? []));
  const sum = (key: 'missing' | 'unknown' | 'differs' | 'work'): number =>
    hosts.reduce((total, host) => total + host[key].length, 0);
  const held = heldRecord(store);
  return {
    ...(held === undefined ? {} : { held: heldView(held) }),
    hosts,
    counts: {
      hosts: hosts.length,
      unseen: hosts.filter(({ problem }) => problem !== undefined).length,
      missing: sum('missing'),
      unknown: sum('unknown'),
      differs: sum('differs'),
      work: sum('work'),
    },
    rev: store.rev,
  };
}

export function heldView({ sinceMs, reason, knownRev, rev }: NonNullable<ReturnType<typeof heldRecord>>) {
  return { sinceMs, reason, knownRev, rev };
}

function hostDifferences(cloud: Cloud, host: HostRecord, instances: readonly InstanceRecord[]): HostDifferences {
  const { observations } = cloud;
  const named = ({ id, name }: InstanceRecord) => ({ instanceId: id, ...(name === undefined ? {} : { name }) });
  const work = instances.flatMap((record) =>
    record.work === undefined ? [] : [{ ...named(record), verb: record.work.verb }],
  );
  const base = { hostId: host.id, name: host.name, work };
  const problem = hostProblem(cloud, host, host.id) ?? notAllSeen(cloud, host.id);
  if (problem !== undefined) return { ...base, problem, missing: [], unknown: [], differs: [] };
  const missing: HostDifferences['missing'] = [];
  const differs: HostDifferences['differs'] = [];
  for (const record of instances) {
    const power = observations.domain(host.id, record.id)?.power;
    // Nobody knows: that is not gone.
    if (power === undefined) continue;
    const { state } = record;
    if (power === 'absent' && state !== 'pending') missing.push({ ...named(record), state });
    else if (power !== 'absent' && POWER[state]?.includes(power) === false)
      differs.push({ ...named(record), state, power });
  }
  const domains = observations.host(host.id)?.domains;
  const unknown = orphansOf(cloud, host.id).map((name) => {
    const seen = domains?.get(name);
    return { name, power: seen?.power ?? 'unknown', ...(seen?.uuid === undefined ? {} : { uuid: seen.uuid }) };
  });
  return { ...base, missing, unknown, differs };
}

/** Before a report of all of its domains none of them can be missed. */
function notAllSeen({ observations }: Cloud, hostId: string): string | undefined {
  const isWhole = observations.host(hostId)?.whole === true && !observations.isDoubted(hostId);
  return isWhole ? undefined : 'the host has not reported all of its domains yet';
}
