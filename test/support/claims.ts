import { expect } from 'vitest';
import type { InstanceRecord } from '../../src/domain/instance.ts';
import { KEYS, PREFIX } from '../../src/domain/keys.ts';
import type { CapacityRecord, ClaimRecord, HostRecord, ReservationRecord } from '../../src/domain/records.ts';
import type { Replica as Whole } from '../../src/ports/store.ts';

type Replica = Pick<Whole, 'get' | 'range'>;

/** What an instance takes of its host is held until it is terminated. */
const holds = (record: InstanceRecord): boolean => record.state !== 'terminated';

/**
 * What the store says of who holds what adds up: capacity is the sum over instances (and those that a reservation is still to make), and no
 * address, MAC or interface name has two owners or one that is gone.
 */
export function expectClaimsAddUp(replica: Replica): void {
  const records = replica.range<InstanceRecord>(PREFIX.instance).map((entry) => entry.value);
  const live = records.filter(holds);
  for (const { value: host } of replica.range<HostRecord>(PREFIX.host)) {
    const mine = live.filter((record) => record.hostId === host.id);
    const coming = replica.range<ReservationRecord>(PREFIX.reservation).flatMap(({ value }) => {
      const { remaining } = value;
      return (remaining?.placements ?? []).flatMap(({ hostId }) =>
        hostId === host.id && remaining !== undefined ? [remaining.template] : [],
      );
    });
    const all = [...mine, ...coming];
    const sum = (key: 'vcpus' | 'memoryMib' | 'diskGib'): number => all.reduce((total, one) => total + one[key], 0);
    expect(replica.get<CapacityRecord>(KEYS.capacity(host.id))?.value, `capacity of ${host.name}`).toEqual({
      v: 1,
      instances: all.length,
      vcpus: sum('vcpus'),
      memoryMib: sum('memoryMib'),
      diskGib: sum('diskGib'),
    });
  }
  expectOwners(replica, 'mac/', (record) => KEYS.mac(record.nic.mac), live);
  expectOwners(replica, 'ifname/nvt', (record) => KEYS.interfaceName(record.nic.tap), live);
  expectOwners(replica, PREFIX.address, (record) => KEYS.address(record.nic.networkId, record.nic.address), live);
}

function expectOwners(
  replica: Replica,
  prefix: string,
  keyOf: (record: InstanceRecord) => string,
  live: readonly InstanceRecord[],
): void {
  const wanted = live.map((record): [string, string] => [keyOf(record), record.id]);
  expect(new Set(wanted.map(([key]) => key)).size, `${prefix} of each instance is its own`).toBe(wanted.length);
  const claimed = replica
    .range<ClaimRecord>(prefix)
    // A bridge's own MAC belongs to its project.
    .filter(({ value }) => value.releasedAtMs === undefined && value.owner.startsWith('i-'))
    .map(({ key, value }): [string, string] => [key, value.owner]);
  expect(claimed.sort(), `${prefix} is claimed by those that have it`).toEqual(wanted.sort());
}
