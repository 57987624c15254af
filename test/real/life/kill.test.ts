import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureLibvirtd } from '../../support/libvirtd.ts';
import { libvirtdMissing } from '../../support/private-libvirtd.ts';
import { writeStillImage } from '../../support/still-image.ts';
import { domains, TestCloud } from '../../support/test-cloud.ts';
import { until } from '../../support/until.ts';

const MOMENTS = 12;
const COUNT = 3;
/** Between them the moments cover run-instance from the first byte to the last instance, and terminate likewise. */
const RUN_MS = 2600;
const TERMINATE_MS = 2200;

const missing = libvirtdMissing();

/** After a crash and a restart: what every record says must be what libvirt says, and nothing else may be there. */
async function audit(cloud: TestCloud, before: ReadonlySet<string>): Promise<void> {
  const rows = await until(
    async () => {
      const all = await cloud.instances();
      return all.every((row) => row.state === 'running' || row.state === 'terminated') ? all : undefined;
    },
    { what: 'every instance runs or is terminated', timeoutMs: 60_000, everyMs: 200 },
  );
  const seen = await domains();
  for (const row of rows) {
    if (row.state === 'running') expect(seen.get(row.instanceId)).toBe('running');
    else expect(seen.has(row.instanceId)).toBe(false);
  }
  const known = new Set(rows.map((row) => row.instanceId));
  const strangers = [...seen.keys()].filter((name) => !known.has(name) && !before.has(name));
  expect(strangers).toEqual([]);
  for (const row of rows) if (row.state === 'terminated') expect(row.stateReason?.message ?? '').not.toBe('');
}

describe.skipIf(missing !== undefined)(
  `kill -9 of the daemon [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let cloud: TestCloud;
    let before: Set<string>;

    beforeAll(async () => {
      await ensureLibvirtd();
      before = new Set((await domains()).keys());
      cloud = new TestCloud();
      const image = join(cloud.dir, 'still.raw');
      writeStillImage(image);
      await cloud.start();
      await cloud.ok('host', 'add', 'here', '--local');
      await cloud.ok('image', 'import', image, '--name', 'still');
    }, 60_000);

    afterAll(async () => {
      await cloud.destroy();
      expect([...(await domains()).keys()].filter((name) => !before.has(name))).toEqual([]);
    }, 60_000);

    it.each(Array.from({ length: MOMENTS }, (_, index) => index))(
      'moment %i of run-instance and of terminate',
      async (index) => {
        const token = `moment-${index}`;
        const runIt = (): ReturnType<TestCloud['cli']> =>
          cloud.cli(
            'run-instance',
            '--image',
            'still',
            '--type',
            'm1.nano',
            '--count',
            String(COUNT),
            '--client-token',
            token,
            '--json',
          );
        const first = runIt();
        await sleep((RUN_MS * index) / MOMENTS);
        await cloud.kill9();
        await cloud.start();
        await first;
        // Whatever became of the first call: the same token again answers with the same instances and makes no others.
        const again = await runIt();
        expect(again.code, again.stderr).toBe(0);
        const { instances } = JSON.parse(again.stdout) as { instances: { instanceId: string }[] };
        const ids = instances.map((row) => row.instanceId);
        expect(new Set(ids).size).toBe(COUNT);
        await audit(cloud, before);
        const live = (await cloud.instances()).filter((row) => row.state !== 'terminated').map((row) => row.instanceId);
        expect(live.sort()).toEqual([...ids].sort());

        const ending = cloud.cli('instance', 'terminate', '--yes', ...ids);
        await sleep((TERMINATE_MS * index) / MOMENTS);
        await cloud.kill9();
        await cloud.start();
        await ending;
        await cloud.ok('instance', 'terminate', '--yes', '--wait', ...ids);
        await audit(cloud, before);
        expect((await cloud.instances()).filter((row) => row.state !== 'terminated')).toEqual([]);
      },
      120_000,
    );
  },
);
