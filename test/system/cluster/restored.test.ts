import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { HostRecord, OwnRecord } from '../../../src/domain/records.ts';
import { importStillImage } from '../support/closing-checks.ts';
import { atRest } from '../support/exact-checks.ts';
import { qemuOf } from '../support/host-footprint.ts';
import { clusterMissing, LabCluster } from '../support/lab-cluster.ts';
import { type Differences, RestoredCluster } from '../support/restored-cluster.ts';

const missing = clusterMissing();
const TEST_MS = 240_000;
/** More than an inventory (30 s), a resend (15 s) and the sweep of all instances (30 s) take. */
const QUIET_MS = 45_000;
const QUIET_AT_START_MS = 10_000;
const APIS = ['a1', 'a2'] as const;
/** Exit code of a cloud that can't take changes now. */
const REFUSED = 7;
/** Of a job of maintenance that could not be done. */
const FAILED_JOB = 24;
/** These guests do not hear the power button. */
const STOP_MS = '1000';

const all = <T>({ hosts }: Differences, of: (host: Differences['hosts'][number]) => readonly T[]): T[] =>
  hosts.flatMap((host) => of(host));

describe.skipIf(missing !== undefined)(
  `etcd restored from an old backup [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let cluster: LabCluster;
    let restored: RestoredCluster;
    let backup = '';
    /** A was terminated after the backup, B has run all the time, C was started after it, D was made after it. */
    const ids = { a: '', b: '', c: '', d: '' };
    beforeAll(async () => {
      cluster = await LabCluster.start({ NOVACTL_INSTANCES_STOP_TIMEOUT_MS: STOP_MS });
      restored = new RestoredCluster(cluster);
      await importStillImage(cluster);
    });
    afterAll(async () => {
      await cluster?.destroy();
    });

    it('a backup is made, and the cloud goes on', { timeout: TEST_MS }, async () => {
      [ids.a = '', ids.b = '', ids.c = ''] = await restored.run(3);
      await cluster.ok('instance', 'stop', '--wait', ids.c);
      await atRest(cluster, 30_000);
      backup = await cluster.etcd.snapshot();
      await cluster.ok('instance', 'terminate', '--yes', '--wait', ids.a);
      [ids.d = ''] = await restored.run(1);
      await cluster.ok('instance', 'start', '--wait', ids.c);
      await cluster.ok('keypair', 'create', 'later');
      // The hosts know of epochs that the backup does not: of this one, and of one after it.
      for (let times = 0; times < 2; times += 1) await restored.restartWorkers();
      await atRest(cluster, 30_000);
    });

    it('restored under the running cloud it is noticed by all', { timeout: TEST_MS }, async () => {
      await restored.noteQuiet();
      await cluster.etcd.restore(backup);
      await restored.allHeld();
      for (const api of APIS) {
        const { code, stdout, stderr } = await cluster.via(api).cli('status');
        expect([code, stdout + stderr]).toEqual([expect.any(Number), expect.stringContaining('novactl state adopt')]);
      }
    });

    it('changes are refused, and reads answer', { timeout: TEST_MS }, async () => {
      const refused = [
        ['run-instance', '--image', 'still', '--type', 'm1.nano'],
        ['instance', 'terminate', '--yes', ids.b],
        ['host', 'remove', restored.placeOf(ids.b).name, '--lost', '--confirm', restored.placeOf(ids.b).name],
      ];
      for (const [index, words] of refused.entries()) {
        const { code, stderr, stdout } = await cluster.via(APIS[index % 2] ?? 'a1').cli(...words);
        expect([code, stderr + stdout]).toEqual([REFUSED, expect.stringContaining('novactl state adopt')]);
        expect(stderr + stdout).toContain('StateHeld');
      }
      const collected = await cluster.cli('maintain', 'collect');
      expect([collected.code, collected.stderr + collected.stdout]).toEqual([
        FAILED_JOB,
        expect.stringContaining('StateHeld'),
      ]);
      for (const api of APIS) {
        const client = cluster.client(api);
        const input = { InstanceIds: [ids.b] };
        await expect(client.call('StopInstances', input)).rejects.toMatchObject({ code: 'StateHeld' });
        const { instances } = await client.call('DescribeInstances', {});
        const states = new Map(instances.map(({ instanceId, state }) => [instanceId, state]));
        expect([...states].toSorted()).toEqual(
          [
            ...[
              [ids.a, 'running'],
              [ids.b, 'running'],
              [ids.c, 'stopped'],
            ],
          ].toSorted(),
        );
        expect((await client.call('DescribeHosts', {})).hosts).toHaveLength(2);
      }
    });

    it('what differs is told', { timeout: TEST_MS }, async () => {
      for (const api of APIS) {
        const found = await restored.seenDifferences(api);
        expect(found.held).toMatchObject({ reason: expect.stringMatching(/\S/) as string });
        expect(all(found, (host) => host.missing)).toMatchObject([{ instanceId: ids.a, state: 'running' }]);
        expect(all(found, (host) => host.unknown)).toMatchObject([{ name: ids.d, power: 'running' }]);
        expect(all(found, (host) => host.differs)).toMatchObject([
          { instanceId: ids.c, state: 'stopped', power: 'running' },
        ]);
        expect(all(found, (host) => host.work)).toEqual([]);
      }
    });

    it(
      'a controller that starts again is held too, also one that forgot all it knew',
      { timeout: TEST_MS },
      async () => {
        const owner = await cluster.withRecords((records) => {
          const host = records
            .range<HostRecord>(PREFIX.host)
            .find(({ value }) => value.name === restored.placeOf(ids.b).name);
          return records.get<OwnRecord>(KEYS.own(host?.value.id ?? ''))?.value.controllerId;
        });
        const killed = cluster.process(owner ?? 'nobody');
        await killed.kill();
        await killed.start();
        const forgetful = cluster.process(owner === 'c1' ? 'c2' : 'c1');
        await forgetful.kill();
        rmSync(join(forgetful.dir, 'state'), { recursive: true });
        await forgetful.start();
        await restored.allHeld();
      },
    );

    it('nothing is done on any host', { timeout: TEST_MS }, async () => {
      await restored.expectQuiet(QUIET_MS);
      const planned = await cluster.ok('state', 'adopt', '--plan');
      for (const id of [ids.a, ids.c, ids.d]) expect(planned).toContain(id);
      await restored.allHeld();
      await restored.expectQuiet(0);
    });

    it('adopted, it goes on from the records; what they do not know stays', { timeout: TEST_MS }, async () => {
      const [b, d] = [await qemuOf(restored.placeOf(ids.b), ids.b), await qemuOf(restored.placeOf(ids.d), ids.d)];
      expect([b, d]).toEqual([expect.any(Number), expect.any(Number)]);
      await cluster.ok('state', 'adopt', '--yes');
      await restored.until('A is found to be gone', async () => (await restored.instance(ids.a))?.state !== 'running');
      await restored.until(
        'C is off again',
        async () => (await restored.placeOf(ids.c).domains()).get(ids.c) === 'shut off',
      );
      await atRest(cluster, 60_000);
      // Its disk is gone: it can't be started, and is not made anew out of its image.
      expect(await restored.instance(ids.a)).toMatchObject({ state: 'stopped', stateReason: { step: 'disk' } });
      expect(await restored.instance(ids.b)).toMatchObject({ state: 'running' });
      expect(await restored.instance(ids.c)).toMatchObject({ state: 'stopped' });
      expect([await qemuOf(restored.placeOf(ids.b), ids.b), await qemuOf(restored.placeOf(ids.d), ids.d)]).toEqual([
        b,
        d,
      ]);
      await restored.expectOrphans(restored.placeOf(ids.d), [ids.d]);
    });

    it('instances come and go as before', { timeout: TEST_MS }, async () => {
      const d = await qemuOf(restored.placeOf(ids.d), ids.d);
      const made = await restored.run(4);
      await cluster.ok('instance', 'start', '--wait', ids.c);
      await cluster.ok('instance', 'terminate', '--yes', '--wait', ...made, ids.a, ids.b, ids.c);
      await restored.expectOnly(ids.d);
      expect(await qemuOf(restored.placeOf(ids.d), ids.d)).toBe(d);
    });

    it('restored as another cluster while nothing runs, it is noticed at the start', { timeout: TEST_MS }, async () => {
      await Promise.all(cluster.processes.map((process) => process.kill()));
      await restored.noteQuiet();
      await cluster.etcd.restore(backup, 'another-cluster');
      for (const process of cluster.processes) process.spawn();
      await Promise.all(cluster.processes.map((process) => process.ready()));
      await restored.allHeld();
      const found = await restored.seenDifferences('a2');
      expect(
        all(found, (host) => host.missing)
          .map(({ instanceId }) => instanceId)
          .toSorted(),
      ).toEqual([ids.a, ids.b, ids.c].toSorted());
      expect(all(found, (host) => host.unknown)).toMatchObject([{ name: ids.d }]);
      await restored.expectQuiet(QUIET_AT_START_MS);
      await cluster.ok('state', 'adopt', '--yes');
      await cluster.ok('instance', 'terminate', '--yes', '--wait', ids.a, ids.b, ids.c);
      await restored.expectOnly(ids.d);
    });
  },
);
