import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closingChecks, importStillImage, runStillPatiently } from '../support/closing-checks.ts';
import { LabCloud } from '../support/lab-cloud.ts';
import { namespaceHostsMissing } from '../support/namespace-host.ts';

const missing = namespaceHostsMissing();
const CUTS = 50;
/** From far less than a command takes to longer than one. */
const pauseMs = (cut: number): number => 60 + ((cut * 97) % 1000);

describe.skipIf(missing !== undefined)(
  `SSH connections that are cut under load [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let system: LabCloud;

    beforeAll(async () => {
      system = await LabCloud.start('daemon');
      await importStillImage(system);
    });
    afterAll(async () => {
      await system.destroy();
    });

    it(`${CUTS} cuts lose nothing and double nothing`, { timeout: 300_000 }, async () => {
      let done = false;
      const asked = new Set<string>();
      const load = async (): Promise<number> => {
        let rounds = 0;
        for (; !done; rounds += 1) {
          const ids = await runStillPatiently(system, 3, `round-${rounds}`);
          for (const id of ids) asked.add(id);
          const [first = '', second = ''] = ids;
          await system.ok('instance', 'terminate', '--yes', first, second);
        }
        return rounds;
      };
      const loading = load();
      for (let cut = 0; cut < CUTS; cut += 1) {
        await sleep(pauseMs(cut));
        // One host after the other: where none answers there is no load.
        await system.lab.host(cut % 2).cutConnections();
      }
      done = true;
      const rounds = await loading;
      expect(rounds).toBeGreaterThan(3);
      await closingChecks(system, 120_000);
      const rows = await system.instances();
      expect(rows.map(({ instanceId }) => instanceId).toSorted()).toEqual([...asked].toSorted());
      expect(rows.filter(({ state }) => state === 'running')).toHaveLength(rounds);
    });
  },
);
