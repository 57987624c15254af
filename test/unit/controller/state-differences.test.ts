import { expect, it } from 'vitest';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { Observations } from '../../../src/controller/hosts/observations.ts';
import { stateDifferences } from '../../../src/controller/state/state-differences.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import { HostReport, Outcome } from '../../../src/messages/worker.ts';
import { ManualClock } from '../../support/manual-clock.ts';

const clock = new ManualClock();
const SEEN = { v: 1, hostId: 'h-1', workerId: 'w', session: 's', epoch: 1, atMs: 0, up: true } as const;

async function cloud() {
  const store = createMemoryStore({ clock, random: new SeededRandom(1) });
  const instance = { v: 1, id: 'i-1', hostId: 'h-1', state: 'running' };
  await store.txn({
    puts: [
      { key: KEYS.host('h-1'), value: { v: 1, id: 'h-1', name: 'node1' } },
      { key: KEYS.instance('i-1'), value: instance },
    ],
  });
  const observations = new Observations(() => clock.monotonicMs());
  const found = () => stateDifferences({ store, observations }).counts;
  const report = (seq: number, whole: boolean) =>
    observations.report(HostReport.parse({ ...SEEN, seq, whole, facts: [] }));
  return { observations, found, report };
}

it('an instance is missing only when its host has reported all domains, and in a way that counts', async () => {
  const { observations, found, report } = await cloud();
  report(1, false);
  expect(found()).toMatchObject({ unseen: 1, missing: 0 });
  report(2, true);
  expect(found()).toMatchObject({ unseen: 0, missing: 1 });
  observations.doubt('h-1');
  expect(found()).toMatchObject({ unseen: 1, missing: 0 });
  observations.trustAfter('h-1', { session: 's', seq: 2 });
  report(3, true);
  expect(found()).toMatchObject({ unseen: 0, missing: 1 });
});

it('an instance of which nobody knows what became is not missing', async () => {
  const { observations, found, report } = await cloud();
  report(1, true);
  const told = {
    v: 1,
    commandId: 'c',
    hostId: 'h-1',
    session: 's',
    epoch: 1,
    seq: 2,
    instanceId: 'i-1',
    generation: 1,
  };
  observations.outcome(Outcome.parse({ ...told, verb: 'run', ok: true, steps: [] }), 0);
  expect(found()).toMatchObject({ unseen: 0, missing: 0 });
});
