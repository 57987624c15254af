import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../../support/until.ts';
import { closingChecks, hostStates, importStillImage, runStill } from '../support/closing-checks.ts';
import { LabCloud } from '../support/lab-cloud.ts';
import { namespaceHostsMissing } from '../support/namespace-host.ts';

const missing = namespaceHostsMissing();
/** What an operation on one host may take while another is dead. */
const PROMPT_MS = 10_000;

describe.skipIf(missing !== undefined)(
  `hosts that lose their power [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let system: LabCloud;

    const isDown = (name: string): Promise<true> =>
      until(async () => (await hostStates(system)).get(name) === 'down' || undefined, {
        what: `${name} is known to be down`,
        timeoutMs: 60_000,
        everyMs: 250,
      });

    beforeAll(async () => {
      system = await LabCloud.start('daemon');
      await importStillImage(system);
      await runStill(system, 4, '--wait');
      await closingChecks(system);
    });
    afterAll(async () => {
      await system.destroy();
    });

    it(
      'get their instances back when they are on again, and hold up nobody meanwhile',
      { timeout: 180_000 },
      async () => {
        const before = await system.instances();
        const [first, second] = system.lab.hosts;
        if (first === undefined || second === undefined) throw new Error('two hosts are needed');
        await first.powerOff();
        await isDown(first.name);
        const began = performance.now();
        const ids = await runStill(system, 1, '--wait');
        expect((await second.domains()).get(ids[0] ?? '')).toBe('running');
        await system.ok('instance', 'terminate', '--yes', '--wait', ...ids);
        expect(performance.now() - began).toBeLessThan(PROMPT_MS);
        await first.powerOn();
        await closingChecks(system);
        const after = (await system.instances()).filter(({ state }) => state === 'running');
        expect(after.map(({ instanceId }) => instanceId).toSorted()).toEqual(
          before.map(({ instanceId }) => instanceId).toSorted(),
        );
      },
    );

    it('take what was asked of them while they were off', { timeout: 180_000 }, async () => {
      const [first] = system.lab.hosts;
      if (first === undefined) throw new Error('a host is needed');
      const mine = (await system.instances()).filter(
        ({ hostName, state }) => hostName === first.name && state === 'running',
      );
      expect(mine.length).toBeGreaterThan(0);
      await first.powerOff();
      await isDown(first.name);
      await system.ok('instance', 'terminate', '--yes', mine[0]?.instanceId ?? '');
      await first.powerOn();
      await system.ok('instance', 'terminate', '--yes', '--wait', mine[0]?.instanceId ?? '');
      await closingChecks(system);
    });

    it('are worked with again after their network swallowed everything for a while', { timeout: 180_000 }, async () => {
      const [row] = (await system.instances()).filter(({ state }) => state === 'running');
      const first = system.lab.hosts.find(({ name }) => name === row?.hostName);
      if (first === undefined) throw new Error('a host is needed');
      await first.freeze();
      try {
        await isDown(first.name);
        expect((await first.domains()).size).toBeGreaterThan(0);
      } finally {
        await first.thaw();
      }
      await closingChecks(system);
      await runStill(system, 2, '--wait');
      await closingChecks(system);
    });
  },
);
