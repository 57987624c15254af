import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PREFIX } from '../../../src/domain/keys.ts';
import type { OperationInput, OperationOutput } from '../../../src/messages/operations/index.ts';
import type { SimCloud } from '../../support/sim-cloud.ts';
import { ADMIN, startSimCloud, STRANGER } from '../../support/sim-cloud.ts';

type Item = OperationOutput<'WatchInstances'>;

let sim: SimCloud;
let end: AbortController;
beforeEach(async () => {
  end = new AbortController();
  sim = await startSimCloud();
});
afterEach(() => {
  end.abort();
  return sim.close();
});

const watch = (input: OperationInput<'WatchInstances'>, meta = ADMIN): AsyncIterator<Item> =>
  (sim.cloud.gateway.stream('WatchInstances', input, meta, end.signal) as AsyncIterable<Item>)[Symbol.asyncIterator]();

async function rest(stream: AsyncIterator<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for (let next = await stream.next(); next.done !== true; next = await stream.next()) items.push(next.value);
  return items;
}

async function runOne(): Promise<string> {
  const { instances } = await sim.run();
  return instances[0]?.instanceId ?? '';
}

describe('WatchInstances', () => {
  it('[sim] shows each as it is, then each change, until all are there', async () => {
    const { instances } = await sim.run({ MinCount: 3, MaxCount: 3 });
    const ids = instances.map((row) => row.instanceId);
    const items = await rest(watch({ InstanceIds: [...ids, ...ids], Until: ['running'] }));
    const states = (id: string): string[] =>
      items.flatMap((item) =>
        item.kind === 'instance' && item.instance.instanceId === id ? [item.instance.state] : [],
      );
    for (const id of ids) expect(states(id).at(-1)).toBe('running');
    const last = items.at(-1);
    expect(last?.kind === 'done' && last.instances.map((row) => row.instanceId)).toEqual(ids);
    const revs = items.flatMap((item) =>
      item.kind === 'instance' ? [`${item.instance.instanceId} ${item.instance.rev}`] : [],
    );
    expect(new Set(revs).size).toBe(revs.length);
  });

  it('[sim] ends at once when all are there already', async () => {
    const id = await runOne();
    await sim.settled('running');
    expect((await rest(watch({ InstanceIds: [id], Until: ['running', 'stopped'] }))).map((item) => item.kind)).toEqual([
      'instance',
      'done',
    ]);
  });

  it('[sim] says when an awaited state can not be reached any more, and why', async () => {
    sim.world
      .host('node1')
      .calls.inject({ call: 'define', how: 'fail', code: 'InvalidParameterValue', message: 'no such CPU' });
    const id = await runOne();
    expect((await rest(watch({ InstanceIds: [id], Until: ['running'] }))).at(-1)).toEqual({
      kind: 'unreachable',
      instanceId: id,
      reason: 'it is shutting-down: no such CPU',
    });
  });

  it('[sim] says when one is gone, which is as good as terminated', async () => {
    const id = await runOne();
    await sim.settled('running');
    const host = sim.world.host('node1');
    host.options = { ...host.options, latencyMs: 200 };
    await sim.call('TerminateInstances', { InstanceIds: [id] });
    const stream = watch({ InstanceIds: [id], Until: ['terminated'] });
    const first = await stream.next();
    expect(first.value).toMatchObject({ kind: 'instance' });
    const items = rest(stream);
    await sim.store.txn({ dels: [`${PREFIX.instance}${id}`] });
    expect(await items).toEqual([
      { kind: 'gone', instanceId: id },
      { kind: 'done', instances: [] },
    ]);
  });

  it('[sim] ends when nobody listens any more', async () => {
    const id = await runOne();
    await sim.settled('running');
    const stream = watch({ InstanceIds: [id] });
    await stream.next();
    const waiting = stream.next();
    end.abort();
    expect((await waiting).done).toBe(true);
  });

  it('[sim] of what one may not see is refused', async () => {
    const id = await runOne();
    await expect(watch({ InstanceIds: [id] }, STRANGER).next()).rejects.toMatchObject({
      code: 'InvalidInstanceID.NotFound',
    });
  });
});

describe('WatchOperation', () => {
  it('[sim] shows an operation until it has ended', async () => {
    const { operationId, instances } = await sim.run({ MinCount: 2, MaxCount: 2 });
    const stream = sim.cloud.gateway.stream('WatchOperation', { OperationId: operationId }, ADMIN, end.signal);
    const seen: { status: string; pending: number }[] = [];
    for await (const item of stream as AsyncIterable<OperationOutput<'WatchOperation'>>) {
      seen.push({ status: item.operation.status, pending: item.operation.pending.length });
    }
    expect(seen.at(-1)).toEqual({ status: 'succeeded', pending: 0 });
    expect(seen.map((one) => one.pending)).toEqual(seen.map((one) => one.pending).sort((a, b) => b - a));
    expect(instances).toHaveLength(2);
  });
});
