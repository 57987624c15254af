import { once } from 'node:events';
import { chmodSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { EtcdApi } from '../../../../src/adapters/store/etcd/etcd-api.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { isCode } from '../../../../src/base/errors.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import { ConfigSchema } from '../../../../src/launch/config/schema.ts';
import { openEtcd } from '../../../../src/launch/open-etcd.ts';
import { openStore } from '../../../../src/launch/open-store.ts';
import { EtcdCluster, type EtcdAccess } from '../../../support/etcd-cluster.ts';
import { etcdMissing } from '../../../support/etcd-node.ts';
import { dialEtcd, EtcdListener, PATIENT, put, write } from '../../../support/etcd-probe.ts';
import { TestAuthority } from '../../../support/test-authority.ts';
import { until } from '../../../support/until.ts';

/** One member that wants certificates and has little space. */
const missing = etcdMissing();
let cluster: EtcdCluster;
let stranger: TestAuthority;
const open: EtcdApi[] = [];

const keep = (etcd: EtcdApi): EtcdApi => {
  open.push(etcd);
  return etcd;
};

beforeAll(async () => {
  if (missing !== undefined) return;
  cluster = await EtcdCluster.start({ nodes: 1, tls: true, quotaBytes: 2 * 1024 * 1024 });
  stranger = new TestAuthority(join(cluster.dir, 'stranger'), 'a stranger');
});

afterEach(() => {
  for (const etcd of open.splice(0)) etcd.close();
});

afterAll(async () => {
  await cluster?.destroy();
});

const real = (name: string, body: () => Promise<void>): void =>
  it(`${name} [real]`, async (ctx) => {
    if (missing !== undefined) ctx.skip(missing);
    else await body();
  });

/** What a read, a write and a watch say to a client that should not get in. */
async function refusals(access: EtcdAccess): Promise<unknown[]> {
  const etcd = keep(dialEtcd(access));
  const reasonOf = (error: unknown): unknown => (isCode(error, 'Unavailable') ? error.details?.['reason'] : error);
  const said: unknown[] = [
    await etcd.range({ key: 'a' }, PATIENT).catch(reasonOf),
    await write(etcd, put('a', 'x')).catch(reasonOf),
  ];
  const watch = new EtcdListener(etcd, { key: 'a', rangeEnd: 'b', startRevision: 0 });
  await until(() => watch.ends.length === 1, { what: 'the watch ends' });
  return [...said, watch.answers.length];
}

describe('certificates', () => {
  const denied = ['denied', 'denied', 0];

  real('of the same authority on both sides are taken', async () => {
    const etcd = keep(dialEtcd(cluster.access()));
    const rev = await write(etcd, put('tls', 'x'));
    expect((await etcd.range({ key: 'tls' }, PATIENT)).kvs).toMatchObject([{ value: 'x', modRevision: rev }]);
  });

  real('a client without one is refused', async () => {
    const { endpoints, ca } = cluster.access();
    expect(await refusals({ endpoints, ...(ca === undefined ? {} : { ca }) })).toEqual(denied);
  });

  real("a client with a stranger's is refused", async () => {
    const { cert, key } = stranger.issue('novactl');
    expect(await refusals({ ...cluster.access(), cert, key })).toEqual(denied);
  });

  real('a server whose authority is not known is not spoken to', async () => {
    expect(await refusals({ ...cluster.access(), ca: stranger.ca })).toEqual(denied);
    const { endpoints, cert, key } = cluster.access();
    expect(await refusals({ endpoints, ...(cert && key ? { cert, key } : {}) })).toEqual(denied);
  });

  real('a server with a certificate for another name is not spoken to', async () => {
    const other = cluster.authority?.issue('other', ['other.example.org']);
    const server = createServer({ cert: other?.cert, key: other?.key, ALPNProtocols: ['h2'] });
    const spoken: Buffer[] = [];
    server.on('secureConnection', (socket) => socket.on('data', (bytes: Buffer) => spoken.push(bytes)));
    server.on('tlsClientError', () => undefined);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    try {
      expect(await refusals({ ...cluster.access(), endpoints: [cluster.endpoint(0, port)] })).toEqual(denied);
      expect(spoken).toEqual([]);
    } finally {
      server.close();
    }
  });
});

describe('the configuration', () => {
  const parts = { clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger };
  const openWith = async (etcd: object): Promise<EtcdApi> =>
    keep(await openEtcd(ConfigSchema.parse({ store: { engine: 'etcd', etcd } }), parts));

  real('leads to the servers with the files that it names', async () => {
    const { client, authority } = cluster;
    const files = { caFile: authority?.caFile, certFile: client?.certFile, keyFile: client?.keyFile };
    const etcd = await openWith({ endpoints: cluster.endpoints, ...files });
    await write(etcd, put('config', 'x'));
    expect((await etcd.range({ key: 'config' }, PATIENT)).count).toBe(1);
  });

  real('opens the whole store, which has its records again the next time', async () => {
    const { client, authority } = cluster;
    const files = { caFile: authority?.caFile, certFile: client?.certFile, keyFile: client?.keyFile };
    const config = ConfigSchema.parse({
      stateDir: join(cluster.dir, 'state'),
      store: { engine: 'etcd', etcd: { endpoints: cluster.endpoints, ...files } },
    });
    const onPoison = (error: Error): never => {
      throw error;
    };
    const first = await openStore(config, { ...parts, onPoison });
    const written = await first.txn({ puts: [{ key: 'test/open', value: { found: true } }] });
    await first.close();
    const second = await openStore(config, { ...parts, onPoison });
    expect(second.get('test/open')).toMatchObject({
      value: { found: true },
      rev: written.ok ? written.rev : 'refused',
    });
    expect(second.health()).toMatchObject({ engine: 'etcd', ok: true });
    await second.close();
  });

  real('a key that others may read is refused, and so is what is no key', async () => {
    const { certFile, keyFile, key } = stranger.issue('careless');
    const { endpoints } = cluster;
    chmodSync(keyFile, 0o640);
    const open = openWith({ endpoints, certFile, keyFile });
    await expect(open).rejects.toMatchObject({
      code: 'InvalidParameterValue',
      message: `store.etcd.keyFile: ${keyFile}: others may read this secret (mode 0640): chmod 600 ${keyFile}`,
    });
    chmodSync(keyFile, 0o600);
    writeFileSync(certFile, 'no certificate');
    const damaged = await openWith({ endpoints, certFile, keyFile }).catch((error: unknown) => error);
    expect(damaged).toMatchObject({ code: 'InvalidParameterValue' });
    expect(String(damaged)).toContain('store.etcd.certFile');
    expect(String(damaged)).not.toContain(key.toString().split('\n')[1]);
  });
});

describe('a full etcd', () => {
  real('refuses writes and says why, answers reads, and takes writes again when there is room', async () => {
    const etcd = keep(dialEtcd(cluster.access()));
    expect(await etcd.alarms(PATIENT)).toEqual([]);
    const fill = async (): Promise<unknown> => {
      for (let index = 0; index < 200; index += 1) {
        const failure = await write(etcd, put('full', 'x'.repeat(60_000))).catch((error: unknown) => error);
        if (typeof failure !== 'number') return failure;
      }
      return 'never full';
    };
    expect(await fill()).toMatchObject({ code: 'Unavailable', details: { reason: 'noSpace' } });
    await until(async () => (await etcd.alarms(PATIENT)).length > 0, { what: 'the alarm is raised' });
    expect(await etcd.alarms(PATIENT)).toEqual(['noSpace']);
    expect((await etcd.range({ key: 'full' }, PATIENT)).count).toBe(1);
    await cluster.makeRoom();
    expect(await etcd.alarms(PATIENT)).toEqual([]);
    await expect(write(etcd, put('full', 'room'))).resolves.toBeGreaterThan(0);
  });
});
