import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WATCH_CLOUD } from '../../../src/controller/operations/watch-cloud.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import type { OperationOutput } from '../../../src/messages/operations/index.ts';
import type { SimCloud } from '../../support/sim-cloud.ts';
import { ADMIN, startSimCloud, STRANGER } from '../../support/sim-cloud.ts';
import { until } from '../../support/until.ts';

type Item = OperationOutput<'WatchCloud'>;

let sim: SimCloud;
let aborter: AbortController;
beforeEach(async () => {
  sim = await startSimCloud({ hosts: ['node1', 'node2'] });
  aborter = new AbortController();
});
afterEach(async () => {
  aborter.abort();
  await sim.close();
});

const open = (meta = ADMIN): AsyncIterator<Item> =>
  (sim.cloud.gateway.stream('WatchCloud', {}, meta, aborter.signal) as AsyncIterable<Item>)[Symbol.asyncIterator]();

/** What comes until the item for which `last` is true, that one too. */
async function read(items: AsyncIterator<Item>, last: (item: Item) => boolean): Promise<Item[]> {
  const found: Item[] = [];
  for (;;) {
    const { value, done } = await items.next();
    if (done === true) throw new Error(`the feed ended after ${JSON.stringify(found).slice(0, 500)}`);
    found.push(value);
    if (last(value)) return found;
  }
}
const ready = (item: Item): boolean => item.kind === 'ready';
const rows = (found: readonly Item[]) => ({
  instances: found.flatMap((item) => (item.kind === 'page' ? item.instances : [])),
  hosts: found.flatMap((item) => (item.kind === 'page' ? item.hosts : [])),
  operations: found.flatMap((item) => (item.kind === 'page' ? item.operations : [])),
});

describe('the change feed', () => {
  it('[sim] begins with all there is, in pages, the newest operations first', async () => {
    await sim.run({ MinCount: 3, MaxCount: 3 });
    await sim.settled('running');
    const found = await read(open(), ready);
    expect(found[0]).toMatchObject({ kind: 'begin', reason: 'start', cloudId: sim.cloud.context.cloudId });
    const { instances, hosts, operations } = rows(found);
    expect(instances.map((row) => row.state)).toEqual(['running', 'running', 'running']);
    expect(hosts.map((row) => [row.name, row.state]).sort()).toEqual([
      ['node1', 'up'],
      ['node2', 'up'],
    ]);
    expect(operations[0]?.name).toBe('RunInstances');
  });

  it('[sim] then has each change of instances, hosts and operations', async () => {
    const items = open();
    await read(items, ready);
    const { instances } = await sim.run({ Name: 'late' });
    const id = instances[0]?.instanceId ?? '';
    const found = await read(items, (item) => item.kind === 'instance' && item.instance.state === 'running');
    expect(found).toContainEqual(expect.objectContaining({ kind: 'operation' }));
    const used = found.findLast((item) => item.kind === 'host');
    expect(used?.kind === 'host' && used.host.usage.instances).toBe(1);
    await sim.call('TerminateInstances', { InstanceIds: [id] });
    await read(items, (item) => item.kind === 'instance' && item.instance.state === 'terminated');
    await sim.store.txn({ dels: [KEYS.instance(id)] });
    const gone = await read(items, (item) => item.kind === 'gone');
    expect(gone.at(-1)).toEqual({ kind: 'gone', what: 'instance', id });
  });

  it('[sim] says when a host that wrote nothing is down, and that the cloud is there', async () => {
    const items = open();
    const { hosts } = rows(await read(items, ready));
    const hostId = hosts[0]?.hostId ?? '';
    sim.cloud.context.observations.forgetHost(hostId);
    const found = await read(items, (item) => item.kind === 'beat');
    const host = found.find((item) => item.kind === 'host');
    expect(host?.kind === 'host' && [host.host.hostId, host.host.state]).toEqual([hostId, 'down']);
  });

  it('[sim] gives a reader that fell behind a fresh snapshot in place of a long queue', async () => {
    const items = open();
    await read(items, ready);
    const template = await sim.run({ Name: 'seed' });
    await sim.settled('running');
    expect(template.instances).toHaveLength(1);
    const ids = Array.from({ length: WATCH_CLOUD.waitingKeys + 1 }, (_, n) => `i-${n.toString(16).padStart(17, '0')}`);
    for (let at = 0; at < ids.length; at += 100) {
      const puts = ids.slice(at, at + 100).map((id) => ({
        key: KEYS.operation(`op-${id.slice(2)}`),
        value: { v: 1, id: `op-${id.slice(2)}`, projectId: 'admin', targets: [], pending: [], steps: [] },
      }));
      await sim.store.txn({ puts });
    }
    const found = await read(items, (item) => item.kind === 'begin');
    expect(found.at(-1)).toMatchObject({ kind: 'begin', reason: 'behind' });
    const { instances, operations } = rows(await read(items, ready));
    expect(instances.map((row) => row.name)).toEqual(['seed']);
    expect(operations).toHaveLength(WATCH_CLOUD.operations);
  });

  it('[sim] shows a member of another project nothing of ours, and no hosts', async () => {
    await sim.run();
    const items = open(STRANGER);
    const { instances, hosts, operations } = rows(await read(items, ready));
    expect([instances, hosts, operations]).toEqual([[], [], []]);
    await sim.run();
    const found = await read(items, (item) => item.kind === 'beat');
    expect(found.map((item) => item.kind)).toEqual(['beat']);
  });

  it('[sim] ends when the reader goes', async () => {
    const items = open();
    await read(items, ready);
    const waiting = items.next();
    aborter.abort();
    expect(await until(() => waiting, { what: 'the feed ends' })).toMatchObject({ done: true });
  });
});
