import { KEYS } from '../../domain/keys.ts';
import { hostLimits } from '../../domain/placement.ts';
import type { CapacityRecord, HostRecord } from '../../domain/records.ts';
import { NO_CAPACITY } from '../../domain/records.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { ControllerContext } from '../controller-context.ts';
import { hostProblem } from './host-problem.ts';

export type HostView = OperationOutput<'DescribeHosts'>['hosts'][number];

/** The host as the administrator sees it: record, claims, and what it last reported. */
export function hostView(
  cloud: Pick<ControllerContext, 'store' | 'observations' | 'policy'>,
  host: HostRecord,
): HostView {
  const { store, observations, policy } = cloud;
  const problem = hostProblem(cloud, host, host.id);
  const seen = observations.host(host.id);
  const used = store.get<CapacityRecord>(KEYS.capacity(host.id))?.value ?? NO_CAPACITY;
  const { routes: _routes, ...facts } = host.facts;
  return {
    hostId: host.id,
    name: host.name,
    state: problem === undefined ? host.state : 'down',
    ...(problem === undefined ? {} : { problem }),
    zone: host.zone,
    roles: [...host.roles],
    transport: host.transport.kind,
    facts,
    usage: { instances: used.instances, vcpus: used.vcpus, memoryMib: used.memoryMib, diskGib: used.diskGib },
    capacity: hostLimits(host, policy.placement),
    orphans: orphansOf(cloud, host.id),
    ...(seen === undefined ? {} : { lastReportMs: seen.atMs }),
    addedAtMs: host.addedAtMs,
  };
}

/** Domains on the host that no live record puts there. Listed, never touched. */
export function orphansOf(
  { store, observations }: Pick<ControllerContext, 'store' | 'observations'>,
  hostId: string,
): string[] {
  const orphans: string[] = [];
  for (const [name, { power }] of observations.host(hostId)?.domains ?? []) {
    const record = store.get<InstanceRecord>(KEYS.instance(name))?.value;
    const wanted = record !== undefined && record.hostId === hostId && record.state !== 'terminated';
    if (power !== 'absent' && !wanted) orphans.push(name);
  }
  return orphans;
}
