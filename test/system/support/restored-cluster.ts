import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import type { InstanceRecord } from '../../../src/domain/instance.ts';
import { KEYS } from '../../../src/domain/keys.ts';
import type { OperationOutput } from '../../../src/messages/operations/index.ts';
import { expectClaimsAddUp } from '../../support/claims.ts';
import { until } from '../../support/until.ts';
import { runStill } from './closing-checks.ts';
import type { ClusterProcess } from './cluster-process.ts';
import { atRest } from './exact-checks.ts';
import { hostFootprint } from './host-footprint.ts';
import { lookAtHost } from './host-view.ts';
import type { LabCluster } from './lab-cluster.ts';
import type { NamespaceHost } from './namespace-host.ts';

export type Differences = OperationOutput<'DescribeStateDifferences'>;

const HELD_MS = 60_000;

/** What a test of a restored store asks of a cluster. */
export class RestoredCluster {
  readonly cluster: LabCluster;
  readonly #places = new Map<string, NamespaceHost>();
  #footprints: string[][] = [];
  #quietSinceMs = 0;

  constructor(cluster: LabCluster) {
    this.cluster = cluster;
  }

  /** Guests that run; where each is is remembered. */
  async run(count: number): Promise<string[]> {
    const made = await runStill(this.cluster, count, '--wait');
    for (const { instanceId, hostName } of await this.cluster.instances()) {
      const host = this.cluster.lab.hosts.find(({ name }) => name === hostName);
      if (host !== undefined) this.#places.set(instanceId, host);
    }
    return made;
  }

  /** The host of a guest that run() made. */
  placeOf(id: string): NamespaceHost {
    const found = this.#places.get(id);
    if (found === undefined) throw new Error(`nobody knows where ${id} is`);
    return found;
  }

  instance(id: string): Promise<InstanceRecord | undefined> {
    return this.cluster.withRecords((records) => records.get<InstanceRecord>(KEYS.instance(id))?.value);
  }

  async until<T>(what: string, look: () => T | Promise<T>): Promise<Exclude<T, undefined | null | false>> {
    return until(look, { what, timeoutMs: HELD_MS, everyMs: 250 }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.cluster.log}`);
    });
  }

  async noteQuiet(): Promise<void> {
    this.#footprints = await this.#footprint();
    this.#quietSinceMs = performance.now();
  }

  /** Nothing on any host has changed since noteQuiet(), which is so long ago. */
  async expectQuiet(quietMs: number): Promise<void> {
    await until(() => performance.now() - this.#quietSinceMs >= quietMs, {
      ...{ what: 'the hosts were left alone long enough', timeoutMs: quietMs + 10_000, everyMs: 250 },
    });
    expect(await this.#footprint()).toEqual(this.#footprints);
  }

  /** Waits until every process that has records says that the store is held. */
  async allHeld(): Promise<void> {
    const knowing = this.cluster.processes.filter(({ roles }) => roles !== 'worker');
    await this.until('every api and controller says that the store is held', async () =>
      (await Promise.all(knowing.map(saysHeld))).every(Boolean),
    );
  }

  /** `state diff` by that api, once every host was seen. */
  seenDifferences(api: string): Promise<Differences> {
    return this.until(`${api} has seen every host`, async () => {
      const { stdout, stderr, code } = await this.cluster.via(api).cli('state', 'diff', '--json');
      expect(code, stderr).toBe(0);
      const found = JSON.parse(stdout) as Differences;
      return found.counts.unseen === 0 ? found : undefined;
    });
  }

  /** Both are killed and started; resolves when they have claimed the hosts with later epochs. */
  async restartWorkers(): Promise<void> {
    const before = await this.#epochs();
    await Promise.all(['w1', 'w2'].map((name) => this.cluster.process(name).restart()));
    await this.until('the hosts are claimed anew', async () =>
      (await this.#epochs()).every((epoch, index) => epoch > (before[index] ?? 0)),
    );
  }

  async expectOrphans(host: NamespaceHost, orphans: readonly string[]): Promise<void> {
    await this.until(`the orphans of ${host.name} are ${orphans.join(', ') || 'none'}`, async () =>
      isDeepStrictEqual((await this.cluster.json<{ orphans: string[] }>('host', 'show', host.name)).orphans, orphans),
    );
  }

  /** No record of a live instance, and nothing on any host but the one guest of no record. */
  async expectOnly(orphan: string): Promise<void> {
    expect(await atRest(this.cluster, HELD_MS)).toEqual([]);
    await this.cluster.withRecords((records) => expectClaimsAddUp(records));
    for (const host of this.cluster.lab.hosts) {
      const orphans = host === this.placeOf(orphan) ? [orphan] : [];
      const { domains, qemus, disks, taps, dhcp } = await lookAtHost(host);
      const count = orphans.length;
      expect([[...domains.keys()], disks, qemus, taps.length, dhcp.length]).toEqual([
        ...[orphans, orphans, count, count, count],
      ]);
      await this.expectOrphans(host, orphans);
    }
  }

  #footprint(): Promise<string[][]> {
    return Promise.all(this.cluster.lab.hosts.map((host) => hostFootprint(host)));
  }

  /** The claim on a host carries an epoch that grows with each new session. */
  #epochs(): Promise<number[]> {
    const epochOf = async (host: NamespaceHost): Promise<number> =>
      Number((await lookAtHost(host)).owner?.split(':')[1] ?? Number.NaN);
    return Promise.all(this.cluster.lab.hosts.map(epochOf));
  }
}

async function saysHeld(process: ClusterProcess): Promise<boolean> {
  return (await process.ask('/readyz'))?.text.includes('novactl state adopt') ?? false;
}
