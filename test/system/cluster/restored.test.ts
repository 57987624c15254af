import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { InstanceRecord } from '../../../src/domain/instance.ts';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { HostRecord, OwnRecord } from '../../../src/domain/records.ts';
import type { OperationOutput } from '../../../src/messages/operations/index.ts';
import { expectClaimsAddUp } from '../../support/claims.ts';
import { until } from '../../support/until.ts';
import { importStillImage, runStill } from '../support/closing-checks.ts';
import type { ClusterProcess } from '../support/cluster-process.ts';
import { atRest } from '../support/exact-checks.ts';
import { hostFootprint, qemuOf } from '../support/host-footprint.ts';
import { lookAtHost } from '../support/host-view.ts';
import { clusterMissing, LabCluster } from '../support/lab-cluster.ts';
import type { NamespaceHost } from '../support/namespace-host.ts';

const missing = clusterMissing();
const TEST_MS = 240_000;
const HELD_MS = 60_000;
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

type Differences = OperationOutput<'DescribeStateDifferences'>;

describe.skipIf(missing !== undefined)(
  `etcd restored from an old backup [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let cluster: LabCluster;
    let backup = '';
    /** A was terminated after the backup, B has run all the time, C was started after it, D was made after it. */
    const ids = { a: '', b: '', c: '', d: '' };
    const places = new Map<string, NamespaceHost>();
    let footprints: string[][] = [];
    let quietSinceMs = 0;

    const instance = (id: string): Promise<InstanceRecord | undefined> =>
      cluster.withRecords((records) => records.get<InstanceRecord>(KEYS.instance(id))?.value);
    const placeOf = (id: string): NamespaceHost => {
      const found = places.get(id);
      if (found === undefined) throw new Error(`nobody knows where ${id} is`);
      return found;
    };
    const footprint = (): Promise<string[][]> => Promise.all(cluster.lab.hosts.map((host) => hostFootprint(host)));
    const withLog = (error: unknown): never => {
      throw new Error(`${String(error)}\n${cluster.log}`);
    };
    const noteQuiet = async (): Promise<void> => {
      footprints = await footprint();
      quietSinceMs = performance.now();
    };
    /** Nothing on any host has changed since noteQuiet(), which is so long ago. */
    const expectQuiet = async (quietMs: number): Promise<void> => {
      await until(() => performance.now() - quietSinceMs >= quietMs, {
        ...{ what: 'the hosts were left alone long enough', timeoutMs: quietMs + 10_000, everyMs: 250 },
      });
      expect(await footprint()).toEqual(footprints);
    };

    const saysHeld = async (process: ClusterProcess): Promise<boolean> =>
      (await process.ask('/readyz'))?.text.includes('novactl state adopt') ?? false;
    /** Every process that has records says so. */
    const allHeld = async (): Promise<void> => {
      const knowing = cluster.processes.filter(({ roles }) => roles !== 'worker');
      await until(async () => (await Promise.all(knowing.map(saysHeld))).every(Boolean), {
        ...{ what: 'every api and controller says that the store is held', timeoutMs: HELD_MS, everyMs: 250 },
      }).catch(withLog);
    };
    const differences = async (api: string): Promise<Differences> => {
      const { stdout, stderr, code } = await cluster.via(api).cli('state', 'diff', '--json');
      expect(code, stderr).toBe(0);
      return JSON.parse(stdout) as Differences;
    };
    /** Until every host was seen. */
    const seenDifferences = (api: string): Promise<Differences> =>
      until(
        async () => {
          const found = await differences(api);
          return found.counts.unseen === 0 ? found : undefined;
        },
        { what: `${api} has seen every host`, timeoutMs: HELD_MS, everyMs: 500 },
      ).catch(withLog);
    const all = <T>({ hosts }: Differences, of: (host: Differences['hosts'][number]) => readonly T[]): T[] =>
      hosts.flatMap((host) => of(host));

    /** The claim on a host carries an epoch that grows with each new session. */
    const epochs = (): Promise<number[]> =>
      Promise.all(
        cluster.lab.hosts.map(async (host) => Number((await lookAtHost(host)).owner?.split(':')[1] ?? Number.NaN)),
      );
    const restartWorkers = async (): Promise<void> => {
      const before = await epochs();
      await Promise.all(['w1', 'w2'].map((name) => cluster.process(name).restart()));
      const taken = async (): Promise<boolean> =>
        (await epochs()).every((epoch, index) => epoch > (before[index] ?? 0));
      await until(taken, { what: 'the hosts are claimed anew', timeoutMs: 60_000, everyMs: 200 }).catch(withLog);
    };

    const orphansOf = async ({ name }: NamespaceHost): Promise<string[]> =>
      (await cluster.json<{ orphans: string[] }>('host', 'show', name)).orphans;

    /** After the adoption: what is recorded is there and all that is there is recorded, but for D, which nobody touched. */
    const expectOnlyD = async (): Promise<void> => {
      expect(await atRest(cluster, 60_000)).toEqual([]);
      await cluster.withRecords((records) => expectClaimsAddUp(records));
      for (const host of cluster.lab.hosts) {
        const orphans = host === placeOf(ids.d) ? [ids.d] : [];
        const view = await lookAtHost(host);
        expect([...view.domains.keys()]).toEqual(orphans);
        expect([view.qemus, view.disks, view.taps.length, view.dhcp.length]).toEqual([
          ...[orphans.length, orphans, orphans.length, orphans.length],
        ]);
        expect(await orphansOf(host)).toEqual(orphans);
      }
    };
    const run = async (count: number): Promise<string[]> => {
      const made = await runStill(cluster, count, '--wait');
      const rows = await cluster.instances();
      for (const { instanceId, hostName } of rows) {
        const host = cluster.lab.hosts.find(({ name }) => name === hostName);
        if (host !== undefined) places.set(instanceId, host);
      }
      return made;
    };

    beforeAll(async () => {
      cluster = await LabCluster.start({ NOVACTL_INSTANCES_STOP_TIMEOUT_MS: STOP_MS });
      await importStillImage(cluster);
    });
    afterAll(async () => {
      await cluster?.destroy();
    });

    it('a backup is made, and the cloud goes on', { timeout: TEST_MS }, async () => {
      [ids.a = '', ids.b = '', ids.c = ''] = await run(3);
      await cluster.ok('instance', 'stop', '--wait', ids.c);
      await atRest(cluster, 30_000);
      backup = await cluster.etcd.snapshot();
      await cluster.ok('instance', 'terminate', '--yes', '--wait', ids.a);
      [ids.d = ''] = await run(1);
      await cluster.ok('instance', 'start', '--wait', ids.c);
      await cluster.ok('keypair', 'create', 'later');
      // The hosts know of epochs that the backup does not: of this one, and of one after it.
      for (let times = 0; times < 2; times += 1) await restartWorkers();
      await atRest(cluster, 30_000);
    });

    it('restored under the running cloud it is noticed by all', { timeout: TEST_MS }, async () => {
      await noteQuiet();
      await cluster.etcd.restore(backup);
      await allHeld();
      for (const api of APIS) {
        const { code, stdout, stderr } = await cluster.via(api).cli('status');
        expect([code, stdout + stderr]).toEqual([expect.any(Number), expect.stringContaining('novactl state adopt')]);
      }
    });

    it('changes are refused, and reads answer', { timeout: TEST_MS }, async () => {
      const refused = [
        ['run-instance', '--image', 'still', '--type', 'm1.nano'],
        ['instance', 'terminate', '--yes', ids.b],
        ['host', 'remove', placeOf(ids.b).name, '--lost', '--confirm', placeOf(ids.b).name],
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
        const found = await seenDifferences(api);
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
          const host = records.range<HostRecord>(PREFIX.host).find(({ value }) => value.name === placeOf(ids.b).name);
          return records.get<OwnRecord>(KEYS.own(host?.value.id ?? ''))?.value.controllerId;
        });
        const killed = cluster.process(owner ?? 'nobody');
        await killed.kill();
        await killed.start();
        const forgetful = cluster.process(owner === 'c1' ? 'c2' : 'c1');
        await forgetful.kill();
        rmSync(join(forgetful.dir, 'state'), { recursive: true });
        await forgetful.start();
        await allHeld();
      },
    );

    it('nothing is done on any host', { timeout: TEST_MS }, async () => {
      await expectQuiet(QUIET_MS);
      const planned = await cluster.ok('state', 'adopt', '--plan');
      for (const id of [ids.a, ids.c, ids.d]) expect(planned).toContain(id);
      await allHeld();
      await expectQuiet(0);
    });

    it('adopted, it goes on from the records; what they do not know stays', { timeout: TEST_MS }, async () => {
      const [b, d] = [await qemuOf(placeOf(ids.b), ids.b), await qemuOf(placeOf(ids.d), ids.d)];
      expect([b, d]).toEqual([expect.any(Number), expect.any(Number)]);
      await cluster.ok('state', 'adopt', '--yes');
      await until(async () => (await instance(ids.a))?.state !== 'running', {
        ...{ what: 'A is found to be gone', timeoutMs: 60_000, everyMs: 250 },
      }).catch(withLog);
      await until(async () => (await placeOf(ids.c).domains()).get(ids.c) === 'shut off', {
        ...{ what: 'C is off again', timeoutMs: 60_000, everyMs: 250 },
      }).catch(withLog);
      await atRest(cluster, 60_000).catch(withLog);
      // Its disk is gone: it can't be started, and is not made anew out of its image.
      expect(await instance(ids.a)).toMatchObject({ state: 'stopped', stateReason: { step: 'disk' } });
      expect(await instance(ids.b)).toMatchObject({ state: 'running' });
      expect(await instance(ids.c)).toMatchObject({ state: 'stopped' });
      expect([await qemuOf(placeOf(ids.b), ids.b), await qemuOf(placeOf(ids.d), ids.d)]).toEqual([b, d]);
      expect(await orphansOf(placeOf(ids.d))).toEqual([ids.d]);
    });

    it('instances come and go as before', { timeout: TEST_MS }, async () => {
      const d = await qemuOf(placeOf(ids.d), ids.d);
      const made = await run(4);
      await cluster.ok('instance', 'start', '--wait', ids.c);
      await cluster.ok('instance', 'terminate', '--yes', '--wait', ...made, ids.a, ids.b, ids.c);
      await expectOnlyD();
      expect(await qemuOf(placeOf(ids.d), ids.d)).toBe(d);
    });

    it('restored as another cluster while nothing runs, it is noticed at the start', { timeout: TEST_MS }, async () => {
      await Promise.all(cluster.processes.map((process) => process.kill()));
      await noteQuiet();
      await cluster.etcd.restore(backup, 'another-cluster');
      for (const process of cluster.processes) process.spawn();
      await Promise.all(cluster.processes.map((process) => process.ready()));
      await allHeld();
      const found = await seenDifferences('a2');
      expect(
        all(found, (host) => host.missing)
          .map(({ instanceId }) => instanceId)
          .toSorted(),
      ).toEqual([ids.a, ids.b, ids.c].toSorted());
      expect(all(found, (host) => host.unknown)).toMatchObject([{ name: ids.d }]);
      await expectQuiet(QUIET_AT_START_MS);
      await cluster.ok('state', 'adopt', '--yes');
      await cluster.ok('instance', 'terminate', '--yes', '--wait', ids.a, ids.b, ids.c);
      await expectOnlyD();
    });
  },
);
