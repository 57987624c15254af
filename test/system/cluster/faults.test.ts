import { request } from 'node:http';
import { availableParallelism, loadavg } from 'node:os';
import { text as readText } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { AssignRecord, HostRecord, OwnRecord } from '../../../src/domain/records.ts';
import { until } from '../../support/until.ts';
import { closingChecks, importStillImage, runStill } from '../support/closing-checks.ts';
import type { ClusterProcess } from '../support/cluster-process.ts';
import { exactChecks } from '../support/exact-checks.ts';
import { clusterMissing, LabCluster } from '../support/lab-cluster.ts';
import { SteadyLoad } from '../support/steady-load.ts';

const missing = clusterMissing();
const TEST_MS = 150_000;
/** What the design promises, as a person waits for it. */
const TAKEN_OVER_MS = 15_000;
const STOPPED_MS = 35_000;
const ELECTION_MS = 4000;
const USERS = 2;
/** So many whole lives show that the load goes on. */
const SOME_LIVES = 2;

describe.skipIf(missing !== undefined)(
  `faults of a cluster under steady load [real]${missing === undefined ? '' : `: ${missing}`}`,
  () => {
    let cluster: LabCluster;
    let load: SteadyLoad;
    let quorum = true;
    const figures: string[] = [];

    const hostNamed = (name: string): Promise<HostRecord> =>
      cluster.withRecords((records) => {
        const found = records.range<HostRecord>(PREFIX.host).find(({ value }) => value.name === name);
        if (found === undefined) throw new Error(`there is no host ${name}`);
        return found.value;
      });
    const ownerOf = (hostId: string): Promise<OwnRecord | undefined> =>
      cluster.withRecords((records) => records.get<OwnRecord>(KEYS.own(hostId))?.value);
    const assignedTo = (hostId: string): Promise<AssignRecord | undefined> =>
      cluster.withRecords((records) => records.get<AssignRecord>(KEYS.assign('compute', hostId))?.value);

    /** How long it takes until it is so; the deadline is what was promised. */
    const within = async (what: string, promisedMs: number, look: () => Promise<boolean>): Promise<void> => {
      const began = performance.now();
      const timeoutMs = promisedMs * slowness();
      await until(look, { what, timeoutMs, everyMs: 100 }).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${cluster.log}`);
      });
      figures.push(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
    };

    /** The load goes on, whatever it was that happened. */
    const goesOn = async (): Promise<void> => {
      const before = load.whole;
      await until(() => load.whole >= before + SOME_LIVES, {
        what: `${SOME_LIVES} more lives are whole`,
        timeoutMs: 60_000,
        everyMs: 200,
      }).catch((error: unknown) => {
        throw new Error(`${String(error)}: ${load.refusals.slice(-5).join('\n')}\n${cluster.log}`);
      });
    };

    /** The worker and the host that it has, when it has one. */
    const workerOf = async (name: string): Promise<{ host: HostRecord; worker: ClusterProcess }> => {
      const host = await hostNamed(name);
      const assigned = await assignedTo(host.id);
      return { host, worker: cluster.process(assigned?.workerId ?? 'nobody') };
    };

    beforeAll(async () => {
      cluster = await LabCluster.start();
      await importStillImage(cluster);
      load = new SteadyLoad({
        clients: [cluster.client('a1'), cluster.client('a2')],
        users: USERS,
        mayBeStale: () => !quorum,
      });
    });
    afterAll(async () => {
      console.log(figures.join('\n'));
      await cluster?.destroy();
    });

    /** Each fault begins and ends with a cloud in order. */
    afterEach(async () => {
      // What a test that failed left dead or asleep would fail the next ones too.
      for (const process of cluster.processes) {
        process.resume();
        if (!process.alive) await process.start();
      }
      await load.stop();
      const wrong = load.wrong.splice(0);
      expect([wrong, load.refusals.slice(-3)]).toEqual([[], expect.anything()]);
      await closingChecks(cluster);
      await exactChecks(cluster);
    }, TEST_MS);

    it('a controller is killed: the others take its hosts, and requests', { timeout: TEST_MS }, async () => {
      load.start();
      await goesOn();
      const host = await hostNamed('h1');
      const before = await ownerOf(host.id);
      const killed = cluster.process(before?.controllerId ?? 'nobody');
      await killed.kill();
      const began = performance.now();
      const { instances } = await cluster.client('a2').call('DescribeInstances', {});
      expect(instances.length).toBeGreaterThan(0);
      const [id = ''] = await runStill(cluster, 1);
      figures.push(`a change after a controller died: ${((performance.now() - began) / 1000).toFixed(1)} s`);
      await within('its hosts are owned by another', TAKEN_OVER_MS, async () => {
        const owner = await ownerOf(host.id);
        return owner !== undefined && owner.controllerId !== killed.name && owner.epoch > (before?.epoch ?? 0);
      });
      await goesOn();
      await cluster.ok('instance', 'terminate', '--yes', '--wait', id);
      await killed.start();
    });

    it('a worker is killed: what was under way is up once', { timeout: TEST_MS }, async () => {
      load.start();
      await goesOn();
      const { host, worker } = await workerOf('h1');
      const ids = await runStill(cluster, 4);
      await worker.kill();
      await within('what was under way runs', TAKEN_OVER_MS, async () => {
        const domains = await cluster.domains();
        return ids.every(
          (id) =>
            domains
              .get(id)
              ?.map(({ state }) => state)
              .join() === 'running',
        );
      });
      expect((await assignedTo(host.id))?.workerId).not.toBe(worker.name);
      await goesOn();
      await cluster.ok('instance', 'terminate', '--yes', '--wait', ...ids);
      await worker.start();
    });

    it(
      'a worker stands still: its hosts go to another, which it can not disturb when it wakes',
      { timeout: TEST_MS },
      async () => {
        load.start();
        await goesOn();
        const { host, worker } = await workerOf('h1');
        const before = await assignedTo(host.id);
        const ids = await runStill(cluster, 4);
        worker.pause();
        await within('what was under way runs without the worker that stands still', STOPPED_MS, async () => {
          const domains = await cluster.domains();
          return ids.every(
            (id) =>
              domains
                .get(id)
                ?.map(({ state }) => state)
                .join() === 'running',
          );
        });
        const after = await assignedTo(host.id);
        expect(after?.workerId).not.toBe(worker.name);
        expect(after?.epoch).toBeGreaterThan(before?.epoch ?? 0);
        const slept = worker.log.length;
        worker.resume();
        await until(() => /host lost to another owner/.test(worker.log.slice(slept)), {
          what: 'the host refuses the worker that woke',
          timeoutMs: 30_000,
        }).catch((error: unknown) => {
          throw new Error(`${String(error)}: ${worker.log.slice(slept)}`);
        });
        await goesOn();
        await cluster.ok('instance', 'terminate', '--yes', '--wait', ...ids);
      },
    );

    it('the leader of etcd is killed: a pause, and no wrong answer', { timeout: TEST_MS }, async () => {
      load.start();
      await goesOn();
      const leader = await cluster.etcd.leader();
      const began = performance.now();
      await cluster.etcd.kill(leader);
      await goesOn();
      const pauses = (['change', 'read'] as const).map((kind) => load.longestPauseMs(kind, began));
      figures.push(
        `pauses of changes and reads while etcd elects: ${pauses.map((ms) => Math.round(ms)).join(', ')} ms`,
      );
      expect(Math.max(...pauses)).toBeLessThan(ELECTION_MS * slowness());
      await cluster.etcd.start(leader);
    });

    it('RabbitMQ is killed and started: nothing is lost', { timeout: TEST_MS }, async () => {
      load.start();
      await goesOn();
      const ids = await runStill(cluster, 2);
      await cluster.rabbit.killBroker();
      const { code } = await cluster.cli('instance', 'list');
      expect(code).toBe(0);
      await cluster.rabbit.startBroker();
      // One whose answer went with a connection is asked for again by the api itself.
      await within('changes are taken again', 60_000, async () => {
        return (await cluster.cli('instance', 'reboot', ...ids)).code === 0;
      });
      await goesOn();
      await cluster.ok('instance', 'terminate', '--yes', '--wait', ...ids);
    });

    it(
      'etcd has no majority: reads say how old they are, changes are refused, guests run',
      { timeout: TEST_MS },
      async () => {
        load.start();
        await goesOn();
        const ids = await runStill(cluster, 2, '--wait');
        quorum = false;
        await load.stop();
        for (const index of [0, 1]) await cluster.etcd.kill(index);
        await within('reads are marked as stale', 60_000, async () => {
          const answers = await Promise.all(['a1', 'a2'].map((api) => describeRaw(cluster.process(api).socketPath)));
          for (const { status, body } of answers) {
            expect(status).toBe(200);
            for (const id of ids) expect(body).toContain(id);
          }
          return answers.every(({ staleMs }) => staleMs !== undefined);
        });
        const list = await cluster.cli('instance', 'list');
        expect(list.code, list.stderr).toBe(0);
        expect(list.stderr).toMatch(/old|stale|behind/i);
        const refused = await cluster.cli('run-instance', '--image', 'still', '--type', 'm1.nano');
        expect(refused.code, refused.stderr).toBe(7);
        const domains = await cluster.domains();
        for (const id of ids) expect(domains.get(id)?.map(({ state }) => state)).toEqual(['running']);
        for (const index of [0, 1]) await cluster.etcd.start(index);
        await within('changes are taken again after etcd has a majority', 60_000, async () => {
          return (await cluster.cli('instance', 'reboot', ...ids)).code === 0;
        });
        await within('reads are current again', 60_000, async () => {
          const answers = await Promise.all(['a1', 'a2'].map((api) => describeRaw(cluster.process(api).socketPath)));
          return answers.every(({ staleMs }) => staleMs === undefined);
        });
        quorum = true;
        load.start();
        await goesOn();
        await cluster.ok('instance', 'terminate', '--yes', '--wait', ...ids);
      },
    );
  },
);

/** How much longer things may take where more wants to run than there are processors: as many times as it waits for one. */
function slowness(): number {
  const perCpu = (loadavg()[0] ?? 0) / availableParallelism();
  return Math.min(4, Math.max(1, perCpu));
}

interface RawAnswer {
  readonly status: number;
  readonly staleMs: string | undefined;
  readonly body: string;
}

/** DescribeInstances as it goes over the wire. */
function describeRaw(socketPath: string): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'novactl', 'content-type': 'application/json' };
    const asked = request({ socketPath, method: 'POST', path: '/v1/DescribeInstances', headers }, (response) => {
      const stale = response.headers['novactl-stale-ms'];
      const staleMs = Array.isArray(stale) ? stale.join() : stale;
      readText(response).then((body) => resolve({ status: response.statusCode ?? 0, staleMs, body }), reject);
    });
    asked.once('error', reject);
    asked.end('{}');
  });
}
