import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEYS } from '../../../src/domain/keys.ts';
import type { OperationInput } from '../../../src/messages/operations/index.ts';
import type { SimCloud } from '../../support/sim-cloud.ts';
import { startSimCloud, STRANGER } from '../../support/sim-cloud.ts';

let sim: SimCloud;
let ids: string[];
beforeAll(async () => {
  sim = await startSimCloud({ hosts: ['node1', 'node2'] });
  await sim.run({ MinCount: 20, MaxCount: 20, Name: 'web' });
  await sim.run({ MinCount: 5, MaxCount: 5, Name: 'db', InstanceType: 'm1.tiny' });
  await sim.settled('running');
  ids = sim.records().map((record) => record.id);
});
afterAll(() => sim.close());

const describeAll = async (input: OperationInput<'DescribeInstances'> = {}): Promise<string[]> =>
  (await sim.call('DescribeInstances', input)).instances.map((row) => row.instanceId);

/** Every page, one after the other; `between` is what happens meanwhile. */
async function pages(
  input: OperationInput<'DescribeInstances'>,
  between?: (page: number) => Promise<unknown>,
): Promise<string[][]> {
  const out: string[][] = [];
  let token: string | undefined;
  do {
    const answer = await sim.call('DescribeInstances', {
      ...input,
      ...(token === undefined ? {} : { NextToken: token }),
    });
    out.push(answer.instances.map((row) => row.instanceId));
    token = answer.nextToken;
    await between?.(out.length);
  } while (token !== undefined);
  return out;
}

describe('pages', () => {
  it.each([1, 7, 24, 25, 26, 1000])('[sim] of %i have every instance once, in order', async (size) => {
    const found = await pages({ MaxResults: size });
    expect(found.flat()).toEqual(ids);
    expect(found.slice(0, -1).every((page) => page.length === size)).toBe(true);
    expect(found).toHaveLength(Math.ceil(25 / size));
  });

  it('[sim] stay in place while instances come and go', async () => {
    const late: string[] = [];
    const found = await pages({ MaxResults: 5 }, async (page) => {
      const { instances } = await sim.run({ Name: 'late' });
      late.push(...instances.map((row) => row.instanceId));
      const key = KEYS.instance(ids[page * 5 - 1] ?? '');
      const last = sim.store.get(key);
      // Even the record that the next page begins after may go.
      if (page === 2 && last !== undefined) {
        await sim.store.txn({ dels: [key] });
        await sim.store.txn({ puts: [{ key, value: last.value }] });
      }
    });
    const seen = found.flat();
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen.filter((id) => !late.includes(id))).toEqual(ids);
    await sim.settled('running');
    await sim.call('TerminateInstances', { InstanceIds: late });
    await sim.settled('terminated', late);
  });

  it('[sim] of a filter are full while there is more', async () => {
    const found = await pages({ MaxResults: 4, Filters: [{ Name: 'tag:Name', Values: ['web'] }] });
    expect(found.flat()).toHaveLength(20);
    expect(found.slice(0, 5).map((page) => page.length)).toEqual([4, 4, 4, 4, 4]);
  });

  it.each(['nonsense', Buffer.from('host/h-1').toString('base64url'), '%%%'])(
    '[sim] token %s is refused',
    async (NextToken) => {
      await expect(sim.call('DescribeInstances', { NextToken })).rejects.toThrow(
        'NextToken: is not a token that this cloud gave out',
      );
    },
  );

  it('[sim] of another project show nothing of ours, by its own token either', async () => {
    const { nextToken = '' } = await sim.call('DescribeInstances', { MaxResults: 3 });
    const theirs = await sim.call('DescribeInstances', { NextToken: nextToken, MaxResults: 3 }, STRANGER);
    expect(theirs.instances).toEqual([]);
    expect(theirs).not.toHaveProperty('nextToken');
  });

  it('[sim] of operations list the newest first', async () => {
    const all = await sim.call('DescribeOperations', {});
    const times = all.operations.map((row) => row.startedAtMs);
    expect(times).toEqual([...times].sort((a, b) => b - a));
    const first = await sim.call('DescribeOperations', { MaxResults: 2 });
    const second = await sim.call('DescribeOperations', { MaxResults: 2, NextToken: first.nextToken ?? '' });
    const names = [...first.operations, ...second.operations].map((row) => row.operationId);
    expect(names).toEqual(all.operations.slice(0, 4).map((row) => row.operationId));
  });
});

describe('which instances', () => {
  it.each([
    [[{ Name: 'tag:Name', Values: ['d?'] }], 5],
    [[{ Name: 'tag:Name', Values: ['web', 'db'] }], 25],
    [[{ Name: 'instance-type', Values: ['m1.tiny'] }], 5],
    [[{ Name: 'instance-state-name', Values: ['running'] }], 25],
    [[{ Name: 'instance-state-name', Values: ['stopped'] }], 0],
    [
      [
        { Name: 'host', Values: ['node*'] },
        { Name: 'instance-type', Values: ['*.nano'] },
      ],
      20,
    ],
    [[{ Name: 'key-name', Values: ['*'] }], 0],
    [[{ Name: 'private-ip-address', Values: ['10.2*'] }], 25],
  ])('[sim] %j: %i', async (Filters, count) => {
    expect(await describeAll({ Filters, HideTerminated: true })).toHaveLength(count);
  });

  it('[sim] a filter that there is not is refused, also in an empty cloud', async () => {
    const Filters = [{ Name: 'colour', Values: ['red'] }];
    await expect(describeAll({ Filters })).rejects.toThrow('there is no filter "colour"; there are: architecture,');
    await expect(sim.call('DescribeInstances', { Filters }, STRANGER)).rejects.toThrow('there is no filter "colour"');
  });

  it('[sim] by id: each once, in the order asked for, all or an error', async () => {
    const [a = '', b = ''] = ids;
    expect(await describeAll({ InstanceIds: [b, a, b] })).toEqual([b, a]);
    const missing = 'i-00000000000000000';
    await expect(describeAll({ InstanceIds: [a, missing] })).rejects.toThrow(missing);
    await expect(describeAll({ InstanceIds: [a], MaxResults: 1 })).rejects.toMatchObject({
      code: 'InvalidParameterCombination',
    });
  });

  it('[sim] terminated ones are shown unless they are hidden', async () => {
    const [gone = ''] = ids;
    await sim.call('TerminateInstances', { InstanceIds: [gone] });
    await sim.settled('terminated', [gone]);
    expect(await describeAll()).toContain(gone);
    expect(await describeAll({ HideTerminated: true })).not.toContain(gone);
  });
});
