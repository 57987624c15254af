import { expect, describe, it } from 'vitest';
import { reportText, runChaos } from '../chaos/run-chaos.ts';
import { clusterMissing } from '../support/lab-cluster.ts';

const missing = clusterMissing();
const SEED = 4;
const CHAOS_MS = 90_000;
/** Start, chaos, and the longest wait until all is at rest. */
const TEST_MS = 500_000;

describe.skipIf(missing !== undefined)(
  `chaos on a cluster of 12 processes and two hosts [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    it(
      'after 90 s of faults nothing that was acknowledged is missing, nothing is twice, and nothing is left behind',
      { timeout: TEST_MS },
      async () => {
        const said: string[] = [];
        const keep = process.env['NOVACTL_KEEP'] === '1';
        const report = await runChaos({ seed: SEED, totalMs: CHAOS_MS, say: (text) => said.push(text), keep });
        const text = reportText(report);
        console.log(text.split('\n')[0]);
        expect(report.findings, text).toEqual([]);
        expect(report.steps.length).toBeGreaterThan(10);
        expect(report.figures['done']).toBeGreaterThan(20);
      },
    );
  },
);
