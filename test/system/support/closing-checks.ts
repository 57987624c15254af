import { join } from 'node:path';
import { expect } from 'vitest';
import { writeStillImage } from '../../support/still-image.ts';
import { until } from '../../support/until.ts';
import type { CloudCommands, PlacedInstance } from './cloud-commands.ts';

const REFUSED = 'InsufficientInstanceCapacity';

interface HostRow {
  readonly name: string;
  readonly state: string;
  readonly usage: { readonly instances: number };
}

/** An image whose guests start in half a second and cost nothing. */
export async function importStillImage(system: CloudCommands): Promise<void> {
  const image = join(system.dir, 'still.raw');
  writeStillImage(image);
  await system.ok('image', 'import', image, '--name', 'still');
}

export async function hostStates(system: CloudCommands): Promise<Map<string, string>> {
  const { hosts } = await system.json<{ hosts: HostRow[] }>('host', 'list');
  return new Map(hosts.map(({ name, state }) => [name, state]));
}

const still = (count: number, words: readonly string[]): string[] => [
  ...['run-instance', '--image', 'still', '--type', 'm1.nano', '--count', String(count), ...words],
];

export async function runStill(system: CloudCommands, count: number, ...words: string[]): Promise<string[]> {
  const { instances } = await system.json<{ instances: PlacedInstance[] }>(...still(count, words));
  return instances.map(({ instanceId }) => instanceId);
}

/**
 * Asks by one token until it is taken: placement refuses while no host answers, and that is right. Answers the ids; whatever became of the calls before,
 * there are no other instances.
 */
export async function runStillPatiently(system: CloudCommands, count: number, token: string): Promise<string[]> {
  return until(
    async () => {
      const { code, stdout, stderr } = await system.cli(...still(count, ['--client-token', token, '--json']));
      if (code === 0) {
        return (JSON.parse(stdout) as { instances: PlacedInstance[] }).instances.map(({ instanceId }) => instanceId);
      }
      if (!stderr.includes(REFUSED)) throw new Error(`run-instance ended with ${code}: ${stderr}`);
      return undefined;
    },
    { what: `${count} instances are taken`, timeoutMs: 60_000, everyMs: 250 },
  );
}

/** Waits until nothing is on its way any more. */
async function settled(system: CloudCommands, timeoutMs: number): Promise<PlacedInstance[]> {
  let rows: PlacedInstance[] = [];
  return until(
    async () => {
      rows = await system.instances();
      return rows.every(({ state }) => state === 'running' || state === 'terminated') ? rows : undefined;
    },
    { what: 'every instance runs or is terminated', timeoutMs, everyMs: 250 },
  ).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${JSON.stringify(rows)}\n${system.log.slice(-3000)}`);
  });
}

/**
 * After faults: the hosts are up, what the records say is what the libvirts of the hosts say, no domain runs twice or without a record, and no disk, tap or
 * capacity is held for an instance that is gone.
 */
export async function closingChecks(system: CloudCommands, timeoutMs = 60_000): Promise<void> {
  await until(async () => [...(await hostStates(system)).values()].every((state) => state === 'up') || undefined, {
    what: 'all hosts are up',
    timeoutMs,
    everyMs: 250,
  });
  const rows = await settled(system, timeoutMs);
  const live = rows.filter(({ state }) => state === 'running');
  // A report may be under way: the record says running as soon as the command has ended.
  await until(
    async () => {
      const seen = await system.domains();
      return live.every(({ instanceId }) => seen.get(instanceId)?.[0]?.state === 'running') || undefined;
    },
    { what: 'all domains run', timeoutMs, everyMs: 250 },
  );
  const domains = await system.domains();
  for (const { instanceId, hostName } of live) {
    expect(domains.get(instanceId)).toEqual([{ host: hostName, state: 'running' }]);
  }
  expect([...domains.keys()].toSorted()).toEqual(live.map(({ instanceId }) => instanceId).toSorted());
  const { hosts } = await system.json<{ hosts: HostRow[] }>('host', 'list');
  for (const host of system.lab.hosts) {
    const here = live.filter(({ hostName }) => hostName === host.name).map(({ instanceId }) => instanceId);
    const disks = (await host.exec('ls', '/var/lib/novactl-host/instances')).stdout.split('\n').filter(Boolean);
    expect(disks.toSorted()).toEqual(here.toSorted());
    const qemus = (await host.exec('pgrep', '-c', '-x', 'qemu-system-x86')).stdout.trim();
    expect(Number(qemus)).toBe(here.length);
    const links = (await host.ok('ip', '-br', 'link')).split('\n').filter((line) => line.startsWith('nvt'));
    expect(links).toHaveLength(here.length);
    expect(hosts.find(({ name }) => name === host.name)?.usage.instances).toBe(here.length);
  }
}
