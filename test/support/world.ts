import { expect } from 'vitest';
import { expectClaimsAddUp } from './claims.ts';
import type { SimCloud } from './sim-cloud.ts';

/**
 * Store and hosts say the same: each live instance has its one domain, in the power that its state says, its port and its disk; nothing of ours is there
 * that no record wants. `foreign`: domains that are not ours, and must be untouched.
 */
export function expectWorldAsRecorded(sim: SimCloud, foreign: readonly string[] = []): void {
  const live = sim.records().filter((record) => record.state !== 'terminated');
  const hostNames = new Map(sim.world.hosts().map((host) => [host.name, host]));
  const domains = sim.world.hosts().flatMap((host) => host.domains.all());
  expect(domains.map((domain) => domain.name).sort()).toEqual([...live.map((record) => record.id), ...foreign].sort());
  for (const domain of domains) {
    const record = live.find(({ id }) => id === domain.name);
    const wanted = record === undefined || record.state === 'running' ? 'running' : 'shutoff';
    expect(`${domain.name} is ${domain.power}`).toBe(`${domain.name} is ${wanted}`);
  }
  const hosts = [...hostNames.values()];
  const ports = hosts.flatMap((host) => [...host.networks.values()].flatMap(({ leases }) => [...leases.keys()]));
  expect(ports.sort(), 'DHCP entries').toEqual(live.map((record) => record.nic.mac).sort());
  const disks = hosts.flatMap((host) => [...host.disks.keys()]);
  expect(disks.sort(), 'disks').toEqual(live.map((record) => record.id).sort());
  const running = live.filter((record) => record.state === 'running');
  const guarded = hosts.flatMap((host) => [...host.guarded]);
  expect(guarded.sort(), 'guarded taps').toEqual(running.map((record) => record.nic.tap).sort());
  expectClaimsAddUp(sim.store);
}
