import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closingChecks, importStillImage, runStillPatiently } from '../support/closing-checks.ts';
import { LabCloud } from '../support/lab-cloud.ts';
import { namespaceHostsMissing, type NamespaceHost } from '../support/namespace-host.ts';

const missing = namespaceHostsMissing();
const MOMENTS = 6;
const COUNT = 4;
/** Between them the moments cover run-instance from the first byte to the last instance, and terminate likewise. */
const RUN_MS = 2400;
const TERMINATE_MS = 1600;

const FAULTS: readonly (readonly [string, (host: NamespaceHost) => Promise<void>])[] = [
  ['libvirtd', (host) => host.restartLibvirtd()],
  ['sshd', (host) => host.restartSshd()],
];
const moments = FAULTS.flatMap(([name, fault]) =>
  Array.from({ length: MOMENTS }, (_, index) => [name, index, fault] as const),
);

describe.skipIf(missing !== undefined)(
  `daemons of hosts, killed and started again [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let system: LabCloud;

    const everywhere = (fault: (host: NamespaceHost) => Promise<void>): Promise<void[]> =>
      Promise.all(system.lab.hosts.map((host) => fault(host)));

    beforeAll(async () => {
      system = await LabCloud.start('daemon');
      await importStillImage(system);
    });
    afterAll(async () => {
      await system.destroy();
    });

    it.each(moments)(
      '%s at moment %i of run-instance and of terminate',
      { timeout: 180_000 },
      async (what, index, fault) => {
        const making = runStillPatiently(system, COUNT, `${what}-${index}`);
        await sleep((RUN_MS * index) / MOMENTS);
        await everywhere(fault);
        const ids = await making;
        expect(new Set(ids).size).toBe(COUNT);
        await closingChecks(system);
        expect((await system.instances()).filter(({ state }) => state === 'running')).toHaveLength(COUNT);

        const ending = system.cli('instance', 'terminate', '--yes', '--wait', ...ids);
        await sleep((TERMINATE_MS * index) / MOMENTS);
        await everywhere(fault);
        expect((await ending).code).toBe(0);
        await closingChecks(system);
        expect((await system.instances()).filter(({ state }) => state !== 'terminated')).toEqual([]);
      },
    );
  },
);
