import type { CapacityRecord, HostRecord } from './records.ts';

/** What an instance needs of a host. */
export interface Demand {
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly diskGib: number;
  readonly architecture?: 'x86_64' | 'arm64';
  /** One of these; absent: any. */
  readonly zones?: readonly string[];
}

/** A host as the scheduler sees it. */
export interface Candidate {
  readonly host: HostRecord;
  readonly used: CapacityRecord;
  /** Undefined: it answers. Else why it does not. */
  readonly problem?: string;
}

export interface PlacementPolicy {
  readonly cpuAllocationRatio: number;
  readonly memoryAllocationRatio: number;
  readonly diskAllocationRatio: number;
  readonly reservedMemoryMib: number;
  readonly reservedDiskGib: number;
}

export interface HostLimits {
  readonly vcpus: number;
  readonly memoryMib: number;
  readonly diskGib: number;
}

export interface Verdict {
  readonly hostId: string;
  readonly hostName: string;
  /** The first filter that refused the host, and its words. */
  readonly filter?: string;
  readonly reason?: string;
  /** Higher is better; only for hosts that pass. */
  readonly weight?: number;
}

/** What may be claimed of a host in all. */
export function hostLimits(host: HostRecord, policy: PlacementPolicy): HostLimits {
  return {
    vcpus: Math.floor(host.facts.cpus * policy.cpuAllocationRatio),
    memoryMib: Math.max(
      0,
      Math.floor((host.facts.memoryMib - policy.reservedMemoryMib) * policy.memoryAllocationRatio),
    ),
    diskGib: Math.max(0, Math.floor((host.facts.diskGib - policy.reservedDiskGib) * policy.diskAllocationRatio)),
  };
}

interface Filter {
  readonly name: string;
  /** A sentence when the host is refused. */
  readonly refuses: (candidate: Candidate, demand: Demand, limits: HostLimits) => string | undefined;
}

const room = (what: string, unit: string, used: number, limit: number, wanted: number): string | undefined =>
  used + wanted <= limit
    ? undefined
    : `${what}: ${used} of ${limit}${unit} are taken, ${wanted}${unit} more do not fit`;

/** In this order; the first one that refuses is the answer to "why not". */
const FILTERS: readonly Filter[] = [
  {
    name: 'Role',
    refuses: ({ host }) => (host.roles.includes('compute') ? undefined : 'the host has no compute role'),
  },
  {
    name: 'State',
    refuses: ({ host }) => (host.state === 'up' ? undefined : `the host is in state ${host.state}`),
  },
  { name: 'Alive', refuses: ({ problem }) => problem },
  {
    name: 'Zone',
    refuses: ({ host }, { zones }) =>
      zones === undefined || zones.includes(host.zone)
        ? undefined
        : `the host is in zone ${host.zone}, ${zones.join(' or ')} was asked for`,
  },
  {
    name: 'Architecture',
    refuses: ({ host }, { architecture }) =>
      architecture === undefined || architecture === host.facts.architecture
        ? undefined
        : `the host is ${host.facts.architecture}, the image ${architecture}`,
  },
  { name: 'Memory', refuses: ({ used }, d, l) => room('memory', ' MiB', used.memoryMib, l.memoryMib, d.memoryMib) },
  { name: 'Cpu', refuses: ({ used }, d, l) => room('virtual CPUs', '', used.vcpus, l.vcpus, d.vcpus) },
  { name: 'Disk', refuses: ({ used }, d, l) => room('disk', ' GiB', used.diskGib, l.diskGib, d.diskGib) },
];

/** Free memory counts first, then free CPUs: instances spread. In 0..100. */
function weigh(used: CapacityRecord, limits: HostLimits): number {
  const share = (taken: number, limit: number): number => (limit <= 0 ? 0 : 1 - taken / limit);
  const weight = 70 * share(used.memoryMib, limits.memoryMib) + 30 * share(used.vcpus, limits.vcpus);
  return Math.round(weight * 100) / 100;
}

/** The weight of a host that every filter lets pass; undefined for the others. The short form of placementVerdicts. */
export function placementWeight(candidate: Candidate, demand: Demand, policy: PlacementPolicy): number | undefined {
  const limits = hostLimits(candidate.host, policy);
  const refused = FILTERS.some((filter) => filter.refuses(candidate, demand, limits) !== undefined);
  return refused ? undefined : weigh(candidate.used, limits);
}

/** Each host's verdict, the best first, refused ones after. Pure: the same facts give the same answer. */
export function placementVerdicts(
  candidates: readonly Candidate[],
  demand: Demand,
  policy: PlacementPolicy,
): Verdict[] {
  const verdicts = candidates.map((candidate): Verdict => {
    const limits = hostLimits(candidate.host, policy);
    const named = { hostId: candidate.host.id, hostName: candidate.host.name };
    for (const filter of FILTERS) {
      const reason = filter.refuses(candidate, demand, limits);
      if (reason !== undefined) return { ...named, filter: filter.name, reason };
    }
    return { ...named, weight: weigh(candidate.used, limits) };
  });
  return verdicts.sort((a, b) => (b.weight ?? -1) - (a.weight ?? -1) || (a.hostId < b.hostId ? -1 : 1));
}

export function claim(used: CapacityRecord, demand: Demand): CapacityRecord {
  return add(used, demand, 1);
}

export function unclaim(used: CapacityRecord, demand: Demand): CapacityRecord {
  return add(used, demand, -1);
}

function add(used: CapacityRecord, demand: Demand, sign: 1 | -1): CapacityRecord {
  return {
    ...used,
    instances: used.instances + sign,
    vcpus: used.vcpus + sign * demand.vcpus,
    memoryMib: used.memoryMib + sign * demand.memoryMib,
    diskGib: used.diskGib + sign * demand.diskGib,
  };
}
