import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Candidate, Demand, PlacementPolicy } from '../../../src/domain/placement.ts';
import { claim, hostLimits, placementVerdicts, placementWeight, unclaim } from '../../../src/domain/placement.ts';
import type { HostRecord } from '../../../src/domain/records.ts';
import { NO_CAPACITY } from '../../../src/domain/records.ts';

const POLICY: PlacementPolicy = {
  cpuAllocationRatio: 2,
  memoryAllocationRatio: 1,
  diskAllocationRatio: 1,
  reservedMemoryMib: 512,
  reservedDiskGib: 2,
};
const DEMAND: Demand = { vcpus: 1, memoryMib: 512, diskGib: 10, architecture: 'x86_64' };

function host(id: string, patch: Partial<HostRecord> = {}): HostRecord {
  return {
    v: 1,
    id,
    name: `name-of-${id}`,
    transport: { kind: 'local' },
    roles: ['compute'],
    zone: 'nova',
    state: 'up',
    facts: {
      hostname: id,
      architecture: 'x86_64',
      cpus: 4,
      memoryMib: 4608,
      diskGib: 102,
      virtType: 'kvm',
      virtReason: '',
      hypervisor: 'QEMU',
      hypervisorVersion: '7.2.0',
      libvirtVersion: '9.0.0',
      routes: [],
    },
    addedAtMs: 0,
    ...patch,
  };
}

const candidate = (patch: Partial<Candidate> = {}, of: Partial<HostRecord> = {}): Candidate => ({
  host: host('h-1', of),
  used: NO_CAPACITY,
  ...patch,
});
const used = (patch: Partial<typeof NO_CAPACITY>) => ({ used: { ...NO_CAPACITY, ...patch } });

describe('why a host does not get an instance', () => {
  it.each([
    ['Role', candidate({}, { roles: ['storage'] }), {}, 'the host has no compute role'],
    ['State', candidate({}, { state: 'maintenance' }), {}, 'the host is in state maintenance'],
    ['State', candidate({}, { state: 'draining' }), {}, 'the host is in state draining'],
    ['Alive', candidate({ problem: 'libvirtd does not answer' }), {}, 'libvirtd does not answer'],
    ['Zone', candidate(), { zones: ['west'] }, 'the host is in zone nova, west was asked for'],
    ['Architecture', candidate(), { architecture: 'arm64' }, 'the host is x86_64, the image arm64'],
    ['Memory', candidate(used({ memoryMib: 3600 })), {}, 'memory: 3600 of 4096 MiB are taken, 512 MiB more do not fit'],
    ['Cpu', candidate(used({ vcpus: 8 })), {}, 'virtual CPUs: 8 of 8 are taken, 1 more do not fit'],
    ['Disk', candidate(used({ diskGib: 91 })), {}, 'disk: 91 of 100 GiB are taken, 10 GiB more do not fit'],
  ] as const)('%s', (filter, of, wanted, reason) => {
    const demand = { ...DEMAND, ...wanted };
    expect(placementVerdicts([of], demand, POLICY)).toEqual([
      { hostId: 'h-1', hostName: 'name-of-h-1', filter, reason },
    ]);
    expect(placementWeight(of, demand, POLICY)).toBeUndefined();
  });

  it('is the first reason of several', () => {
    const [verdict] = placementVerdicts(
      [candidate({ problem: 'gone' }, { roles: [], state: 'draining' })],
      DEMAND,
      POLICY,
    );
    expect(verdict?.filter).toBe('Role');
  });

  it('the last room is given', () => {
    const almost = candidate(used({ memoryMib: 3584, vcpus: 7, diskGib: 90 }));
    expect(placementVerdicts([almost], DEMAND, POLICY)[0]?.weight).toBe(12.5);
  });

  it('a host smaller than what is reserved of it has room for nothing', () => {
    const facts = { ...host('h-1').facts, memoryMib: 100, diskGib: 1 };
    expect(hostLimits(host('h-1', { facts }), POLICY)).toEqual({ vcpus: 8, memoryMib: 0, diskGib: 0 });
  });
});

describe('the order of hosts', () => {
  it('is by weight, then by id, and refused ones come last', () => {
    const half = { ...NO_CAPACITY, memoryMib: 2048, vcpus: 4 };
    const rows = placementVerdicts(
      [
        { host: host('h-3'), used: NO_CAPACITY },
        { host: host('h-2'), used: half },
        { host: host('h-4', { state: 'maintenance' }), used: NO_CAPACITY },
        { host: host('h-1'), used: NO_CAPACITY },
      ],
      DEMAND,
      POLICY,
    );
    expect(rows.map((row) => [row.hostId, row.weight])).toEqual([
      ['h-1', 100],
      ['h-3', 100],
      ['h-2', 50],
      ['h-4', undefined],
    ]);
  });

  it('has the weights that a single host is given', () => {
    const amount = fc.integer({ min: 0, max: 5000 });
    fc.assert(
      fc.property(amount, amount, amount, (memoryMib, vcpus, diskGib) => {
        const of = candidate(used({ memoryMib, vcpus, diskGib }));
        expect(placementWeight(of, DEMAND, POLICY)).toBe(placementVerdicts([of], DEMAND, POLICY)[0]?.weight);
      }),
    );
  });
});

describe('claims', () => {
  it('what is claimed and given back leaves what was', () => {
    expect(claim(NO_CAPACITY, DEMAND)).toEqual({ v: 1, instances: 1, vcpus: 1, memoryMib: 512, diskGib: 10 });
    expect(unclaim(claim(NO_CAPACITY, DEMAND), DEMAND)).toEqual(NO_CAPACITY);
  });
});
