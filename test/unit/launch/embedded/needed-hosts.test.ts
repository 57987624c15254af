import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { SeededRandom } from '../../../../src/base/random.ts';
import { KEYS } from '../../../../src/domain/keys.ts';
import { hostsToObserve, hostsToServe } from '../../../../src/launch/embedded/needed-hosts.ts';
import { OPERATIONS } from '../../../../src/messages/operations/index.ts';
import type { Store } from '../../../../src/ports/store.ts';

let store: Store;
beforeEach(async () => {
  store = createMemoryStore({ clock: new SystemClock(), random: new SeededRandom(1) });
  const puts = ['h-1', 'h-2', 'h-3'].flatMap((id) => [
    { key: KEYS.host(id), value: { id } },
    { key: KEYS.hostName(`node${id.slice(2)}`), value: { hostId: id } },
    { key: KEYS.instance(`i-${id}`), value: { id: `i-${id}`, hostId: id } },
  ]);
  await store.txn({ puts });
});
afterEach(() => store.close());

describe('the hosts that an operation needs', () => {
  it.each([
    ['RunInstances', {}, ['h-1', 'h-2', 'h-3']],
    ['StopInstances', { InstanceIds: ['i-h-2', 'i-h-3', 'i-h-2'] }, ['h-2', 'h-3']],
    ['TerminateInstances', { InstanceIds: ['i-none'] }, []],
    ['RemoveHost', { Host: 'node3' }, ['h-3']],
    ['RemoveHost', { Host: 'h-3' }, ['h-3']],
    ['CreateKeyPair', { KeyName: 'x' }, []],
    ['AddHost', { Name: 'x' }, []],
    ['SomethingNew', {}, ['h-1', 'h-2', 'h-3']],
    ['StopInstances', { InstanceIds: [7, null] }, []],
  ])('%s %j: %j', (name, input, wanted) => {
    expect(hostsToServe(store, name, input)).toEqual(wanted);
  });

  it.each([
    ['DescribeHosts', {}, []],
    ['DescribeHosts', { Hosts: ['node2'] }, ['h-2']],
    ['DescribeInstances', { InstanceIds: ['i-h-1'] }, []],
    ['GetConsoleOutput', { InstanceId: 'i-h-1' }, ['h-1']],
    ['PlanInstances', {}, ['h-1', 'h-2', 'h-3']],
    ['WatchCloud', {}, []],
  ])('%s looks at %j: %j', (name, input, wanted) => {
    expect(hostsToObserve(store, name, input)).toEqual(wanted);
  });

  it('are none for most reads, so that those wait for nobody', () => {
    const looking = Object.values(OPERATIONS).filter(
      ({ name, changes }) => !changes && hostsToObserve(store, name, {}).length > 0,
    );
    expect(looking.length).toBeLessThan(10);
  });
});
