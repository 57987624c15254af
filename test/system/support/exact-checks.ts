import { expect } from 'vitest';
import type { InstanceRecord } from '../../../src/domain/instance.ts';
import { PREFIX } from '../../../src/domain/keys.ts';
import type { HostRecord, OperationRecord } from '../../../src/domain/records.ts';
import type { Replica } from '../../../src/ports/store.ts';
import { expectClaimsAddUp } from '../../support/claims.ts';
import { until } from '../../support/until.ts';
import type { CloudCommands } from './cloud-commands.ts';
import { type HostView, lookAtHost } from './host-view.ts';

const AT_REST: ReadonlySet<string> = new Set(['running', 'stopped', 'terminated']);
/** A command of the owner, such as the sync of its ledger, may still run for a moment. */
const MARK_MS = 5000;

type Records = Pick<Replica, 'get' | 'range'>;

export function withRecords<T>(system: CloudCommands, look: (records: Records) => T): Promise<T> {
  return system.withRecords(look);
}

export const instancesOf = (records: Records): InstanceRecord[] =>
  records.range<InstanceRecord>(PREFIX.instance).map(({ value }) => value);

/** The newest first. */
export const operationsOf = (records: Records): OperationRecord[] =>
  records.range<OperationRecord>(PREFIX.operation).map(({ value }) => value);

/** Waits until no instance is on its way and no operation runs; answers the instances that are not terminated. */
export async function atRest(system: CloudCommands, timeoutMs: number): Promise<InstanceRecord[]> {
  let left: string[] = [];
  const look = (): Promise<InstanceRecord[] | undefined> =>
    withRecords(system, (records) => {
      const instances = instancesOf(records);
      left = [
        ...operationsOf(records).flatMap(({ status, name, id }) => (status === 'running' ? [`${name} ${id}`] : [])),
        ...instances.flatMap((record) =>
          record.work === undefined && AT_REST.has(record.state) ? [] : [JSON.stringify(record)],
        ),
      ];
      return left.length === 0 ? instances.filter(({ state }) => state !== 'terminated') : undefined;
    });
  return until(look, { what: 'nothing is on its way', timeoutMs, everyMs: 100 }).catch((error: unknown) => {
    throw new Error(`${String(error)}: ${left.join('\n')}`);
  });
}

function expectHost(view: HostView, mine: readonly InstanceRecord[]): void {
  const running = mine.filter(({ state }) => state === 'running');
  const sorted = (list: readonly InstanceRecord[], of: (record: InstanceRecord) => string): string[] =>
    list.map(of).toSorted();
  const wanted = sorted(mine, ({ id, state }) => `${id} ${state === 'running' ? 'running' : 'shut off'}`);
  expect([...view.domains].map(([name, state]) => `${name} ${state}`).toSorted()).toEqual(wanted);
  expect(view.qemus).toBe(running.length);
  expect(view.disks).toEqual(sorted(mine, ({ id }) => id));
  expect(view.taps).toEqual(sorted(running, ({ nic }) => nic.tap));
  expect(view.dhcp).toEqual(sorted(mine, ({ nic }) => `${nic.mac},${nic.address}`));
  // One that was switched off keeps its guard until it is terminated; one that runs must have it.
  expect(view.guards).toEqual(expect.arrayContaining(sorted(running, ({ nic }) => nic.tap)));
  expect(sorted(mine, ({ nic }) => nic.tap)).toEqual(expect.arrayContaining([...view.guards]));
  const networks = mine.length === 0 ? 0 : 1;
  expect([view.bridges.length, view.dhcpServers, view.tables.length > 0]).toEqual([networks, networks, networks > 0]);
}

/** Nothing runs under the mark of anybody but the owner, and no SSH server process of another owner is noted. */
async function expectOneOwner(look: () => Promise<HostView>, first: HostView): Promise<void> {
  const strangers = ({ marked, links, owner }: HostView): string[] => [
    ...marked.flatMap(({ tag, command }) => (tag === owner ? [] : [`${tag} ${command}`])),
    ...links.filter((tag) => tag !== owner),
  ];
  expect(strangers(first)).toEqual([]);
  expect(first.owner).not.toBe(undefined);
  let last = first;
  await until(
    async () => {
      if (last.marked.length === 0) return true;
      last = await look();
      expect(strangers(last)).toEqual([]);
      return undefined;
    },
    { what: 'no command of the owner runs', timeoutMs: MARK_MS },
  );
}

/**
 * After faults, with nothing left to do: every record says what its host says, and neither has anything more. No domain anywhere but where its record
 * says, no disk, tap, DHCP entry, guard, address, MAC or capacity without an owner, and no process of an earlier session. Answers the live instances.
 */
export async function exactChecks(system: CloudCommands, timeoutMs = 60_000): Promise<InstanceRecord[]> {
  const live = await atRest(system, timeoutMs);
  const hostIds = await withRecords(system, (records) => {
    expectClaimsAddUp(records);
    return new Map(records.range<HostRecord>(PREFIX.host).map(({ value }) => [value.name, value.id]));
  });
  for (const host of system.lab.hosts) {
    const look = (): Promise<HostView> => lookAtHost(host);
    const view = await look();
    expectHost(
      view,
      live.filter(({ hostId }) => hostId === hostIds.get(host.name)),
    );
    await expectOneOwner(look, view);
  }
  return live;
}
