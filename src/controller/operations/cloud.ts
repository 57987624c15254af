import { CloudError } from '../../base/errors.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { HostRecord, InstanceTypeRecord } from '../../domain/records.ts';
import { heldRecord, heldText } from '../hosts/held.ts';
import { hostView } from '../hosts/host-view.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { ControllerContext } from '../controller-context.ts';
import { troublesOfObjects } from '../objects/troubles-of-objects.ts';
import { type FilterFields, matchesFilters, requireFilters } from './filters.ts';
import type { ReadHandler } from './handler.ts';

type TypeView = OperationOutput<'DescribeInstanceTypes'>['instanceTypes'][number];

const always = (text: string) => () => text;

/** Names as EC2's, of those that say something here. */
const TYPE_FIELDS: FilterFields<TypeView> = {
  'auto-recovery-supported': always('false'),
  'bare-metal': always('false'),
  'burstable-performance-supported': always('false'),
  'current-generation': always('true'),
  'dedicated-hosts-supported': always('false'),
  'free-tier-eligible': always('false'),
  'hibernation-supported': always('false'),
  'instance-storage-info.total-size-in-gb': (row) => (row.diskGib === 0 ? undefined : String(row.diskGib)),
  'instance-storage-supported': (row) => String(row.diskGib > 0),
  'instance-type': (row) => row.instanceType,
  'memory-info.size-in-mib': (row) => String(row.memoryMib),
  'network-info.ena-support': always('unsupported'),
  'network-info.ipv6-supported': always('false'),
  'processor-info.supported-architecture': (row) => row.architectures,
  'supported-boot-mode': always('legacy-bios'),
  'supported-root-device-type': always('instance-store'),
  'supported-usage-class': always('on-demand'),
  'supported-virtualization-type': always('hvm'),
  'vcpu-info.default-cores': (row) => String(row.vcpus),
  'vcpu-info.default-threads-per-core': always('1'),
  'vcpu-info.default-vcpus': (row) => String(row.vcpus),
};

export const describeInstanceTypes: ReadHandler<'DescribeInstanceTypes'> = ({ cloud }, input) => {
  const { store } = cloud;
  const records =
    input.InstanceTypes === undefined
      ? store.range<InstanceTypeRecord>(PREFIX.type).map((entry) => entry.value)
      : input.InstanceTypes.map((name) => {
          const found = store.get<InstanceTypeRecord>(KEYS.type(name))?.value;
          if (found !== undefined) return found;
          throw new CloudError(
            'InvalidInstanceType.NotFound',
            `InstanceTypes: there is no type ${name}; see "novactl type list"`,
            {
              details: { parameter: 'InstanceTypes' },
            },
          );
        });
  const { Filters = [] } = input;
  requireFilters(Filters, TYPE_FIELDS);
  const known = store.range<HostRecord>(PREFIX.host).map(({ value }) => value.facts.architecture);
  const architectures = [...new Set(known)].toSorted();
  const instanceTypes = records
    .map(({ name, vcpus, memoryMib, diskGib }) => ({ instanceType: name, vcpus, memoryMib, diskGib, architectures }))
    .filter((row) => matchesFilters(row, Filters, TYPE_FIELDS));
  instanceTypes.sort((a, b) => a.memoryMib - b.memoryMib);
  return { instanceTypes, rev: store.rev };
};

function tally(words: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1;
  return counts;
}

export const describeCloud: ReadHandler<'DescribeCloud'> = async ({ cloud, nowMs }) => {
  const { store, process: self } = cloud;
  const hosts = store.range<HostRecord>(PREFIX.host).map((entry) => hostView(cloud, entry.value));
  const records = store.range<InstanceRecord>(PREFIX.instance).map((entry) => entry.value);
  // They are with the broker: while that is away nobody knows of them.
  const deadLetters = await cloud.bus.deadLetters().catch(() => []);
  const sum = (key: 'vcpus' | 'memoryMib', of: 'usage' | 'capacity'): number =>
    hosts.reduce((total, host) => total + host[of][key], 0);
  const health = store.health();
  const held = heldRecord(store);
  return {
    cloudId: cloud.cloudId,
    version: self.version,
    pid: self.pid,
    startedAtMs: self.startedAtMs,
    nowMs,
    roles: [...self.roles],
    stateDir: self.stateDir,
    store: {
      engine: health.engine,
      ok: health.ok,
      rev: health.rev,
      keys: health.keys,
      ...(health.problem === undefined ? {} : { problem: health.problem }),
      ...(health.staleMs === undefined ? {} : { staleMs: health.staleMs }),
    },
    ...(held === undefined ? {} : { held: heldText(held) }),
    bus: { engine: self.busEngine, deadLetters: deadLetters.length },
    hosts: tally(hosts.map((host) => host.state)),
    instances: tally(records.map((record) => record.state)),
    usage: { vcpus: sum('vcpus', 'usage'), memoryMib: sum('memoryMib', 'usage') },
    capacity: { vcpus: sum('vcpus', 'capacity'), memoryMib: sum('memoryMib', 'capacity') },
    problems: problems(cloud, hosts, records, deadLetters.length),
  };
};

function storeProblems({ store }: ControllerContext): string[] {
  const held = heldRecord(store);
  const { ok, problem = 'unknown reason' } = store.health();
  return [...(held === undefined ? [] : [heldText(held)]), ...(ok ? [] : [`the store can't commit: ${problem}`])];
}

function problems(
  cloud: ControllerContext,
  hosts: readonly ReturnType<typeof hostView>[],
  records: readonly InstanceRecord[],
  deadLetters: number,
): string[] {
  const out = storeProblems(cloud);
  const bus = cloud.bus.health();
  if (!bus.ok) out.push(`messages don't get through: ${bus.problem ?? 'unknown reason'}`);
  for (const host of hosts) {
    if (host.problem !== undefined) out.push(`host ${host.name} is down: ${host.problem}`);
    if (host.orphans.length > 0) {
      out.push(
        `host ${host.name} has ${host.orphans.length} domains that no record explains: ${host.orphans.slice(0, 3).join(', ')}`,
      );
    }
  }
  if (hosts.length === 0) out.push('there is no host yet; add one with "novactl host add --local"');
  const failing = records.filter((record) => (record.work?.attempt ?? 1) > 1);
  for (const record of failing.slice(0, 5)) {
    out.push(
      `instance ${record.id}: ${record.work?.verb ?? 'work'} failed ${(record.work?.attempt ?? 1) - 1} times; see "novactl why instance ${record.id}"`,
    );
  }
  out.push(...troublesOfObjects(cloud.services.list()));
  if (deadLetters > 0) out.push(`${deadLetters} messages could not be delivered`);
  return out;
}
