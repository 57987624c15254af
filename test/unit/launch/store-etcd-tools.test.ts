import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openFileStore } from '../../../src/adapters/store/file-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { KEYS, operationIdAt } from '../../../src/domain/keys.ts';
import { ConfigSchema } from '../../../src/launch/config/schema.ts';
import { openStore } from '../../../src/launch/open-store.ts';
import { readExport } from '../../../src/launch/store-tools/read-export.ts';
import { EtcdCluster } from '../../support/etcd-cluster.ts';
import { etcdMissing } from '../../support/etcd-node.ts';
import { runCli, type CliRun } from '../../support/run-cli.ts';
import { startSimCloud } from '../../support/sim-cloud.ts';

/** One real etcd; each test has a prefix of its own in it. */
const missing = etcdMissing();
const CHILD = join(import.meta.dirname, 'import-child.ts');
const clock = new SystemClock();
const random = new SystemRandom();
let cluster: EtcdCluster | undefined;
let dir = '';
let file = '';

beforeAll(async () => {
  if (missing !== undefined) return;
  dir = mkdtempSync(join(tmpdir(), 'novactl-etcd-tools-'));
  cluster = await EtcdCluster.start({ nodes: 1 });
  file = join(dir, 'cloud.export');
  const stateDir = join(dir, 'files');
  const store = await openFileStore({ dir: stateDir, clock, random, logger: silentLogger });
  const sim = await startSimCloud({ store, stateDir });
  await sim.run({ MinCount: 3, MaxCount: 3 });
  await sim.settled('running');
  for (let at = 0; at < 300; at += 100) {
    const puts = Array.from({ length: 100 }, (_, index) => {
      const id = operationIdAt(1000 + at + index, 'abcde');
      return { key: KEYS.operation(id), value: { v: 1, id, name: 'Nothing', status: 'succeeded', startedAtMs: 1 } };
    });
    await store.txn({ puts });
  }
  await sim.close();
  await store.close();
  const run = await cli(['store', 'export', file], { stateDir });
  if (run.code !== 0) throw new Error(run.stderr);
});

afterAll(async () => {
  await cluster?.destroy();
  rmSync(dir, { recursive: true, force: true });
});

const cli = (argv: readonly string[], { stateDir = '', config = '' }): Promise<CliRun> =>
  runCli([...argv, ...(config === '' ? [] : ['--config', config])], {
    // gRPC's deadlines are moments of the real clock.
    clock,
    env: {
      NOVACTL_RUN_DIR: join(dir, 'no-daemon'),
      NOVACTL_STATE_DIR: stateDir === '' ? join(dir, 'etcd-state') : stateDir,
    },
  });

const etcdConfig = (prefix: string) => ({
  stateDir: join(dir, 'etcd-state'),
  drivers: 'simulated',
  store: { engine: 'etcd', etcd: { endpoints: cluster?.endpoints ?? [], prefix: `${prefix}/` } },
});

/** A configuration file for a cloud in etcd under the prefix. JSON is YAML. */
function configFile(prefix: string): string {
  const path = join(dir, `${prefix}.yaml`);
  writeFileSync(path, JSON.stringify(etcdConfig(prefix)));
  return path;
}

const parts = { clock, random, logger: silentLogger, onPoison: () => undefined, keepsCopy: false };

const real = (name: string, body: () => Promise<void>): void =>
  it(`${name} [real]`, { timeout: 90_000 }, async (ctx) => {
    if (missing !== undefined) ctx.skip(missing);
    else await body();
  });

describe('a cloud that moves from files to etcd and back', () => {
  real('is the same at every stop', async () => {
    const config = configFile('moved');
    const imported = await cli(['store', 'import', file], { config });
    expect(imported.code, imported.stderr).toBe(0);
    expect(await cli(['store', 'compare', file], { config })).toMatchObject({ code: 0 });
    const verified = await cli(['store', 'verify', '--json'], { config });
    expect(verified.code, verified.stderr).toBe(0);
    const { end } = await readExport(file);
    expect(JSON.parse(verified.stdout)).toMatchObject({ source: 'etcd', sha256: end.sha256, problems: [] });

    const back = join(dir, 'back.export');
    expect(await cli(['store', 'export', back], { config })).toMatchObject({ code: 0 });
    expect((await readExport(back)).head).toMatchObject({ engine: 'etcd' });
    expect((await readExport(back)).end).toEqual(end);
    const again = { stateDir: join(dir, 'again') };
    expect(await cli(['store', 'import', back], again)).toMatchObject({ code: 0 });
    expect(await cli(['store', 'compare', '--with', config], again)).toMatchObject({ code: 0 });
    expect(await cli(['store', 'compare', file], again)).toMatchObject({ code: 0 });
  });

  real('is there without etcd, in the copy that a process kept', async () => {
    const config = configFile('offline');
    expect(await cli(['store', 'import', file], { config })).toMatchObject({ code: 0 });
    await (await openStore(ConfigSchema.parse(etcdConfig('offline')), { ...parts, keepsCopy: true })).close();
    const etcd = { endpoints: ['http://localhost:1'], prefix: 'offline/' };
    writeFileSync(config, JSON.stringify({ ...etcdConfig('offline'), store: { engine: 'etcd', etcd } }));
    const rescued = join(dir, 'rescued.export');
    const run = await cli(['store', 'export', rescued, '--offline'], { config });
    expect(run.code, run.stderr).toBe(0);
    expect(run.stderr).toContain('the copy is as old as');
    expect((await readExport(rescued)).end).toEqual((await readExport(file)).end);
    expect(await cli(['store', 'verify', '--offline'], { config })).toMatchObject({ code: 0 });
  });

  real('goes on with an import that was killed, and starts no cloud before', async () => {
    for (const killAt of [0, 100, 200]) {
      const prefix = `killed-${killAt}`;
      const config = configFile(prefix);
      const argv = [CHILD, JSON.stringify(etcdConfig(prefix)), file, String(killAt)];
      const killed = spawnSync(process.execPath, argv);
      expect(killed.signal, killed.stderr.toString()).toBe('SIGKILL');
      const whole = ConfigSchema.parse(etcdConfig(prefix));
      await expect(openStore(whole, parts)).rejects.toMatchObject({ code: 'CorruptState' });
      const resumed = await cli(['store', 'import', file], { config });
      expect(resumed.code, resumed.stderr).toBe(0);
      if (killAt > 0) expect(resumed.stderr).toMatch(/records were there already/);
      expect(await cli(['store', 'compare', file], { config })).toMatchObject({ code: 0 });
      await (await openStore(whole, parts)).close();
    }
  });

  real('is left alone while a process of it lives, and named', async () => {
    const config = configFile('alive');
    const store = await openStore(ConfigSchema.parse(etcdConfig('alive')), parts);
    try {
      const lease = await store.lease(60_000);
      await store.txn({ puts: [{ key: KEYS.alive('controller', 'c1'), value: { v: 1, session: 's' }, lease }] });
      for (const words of [['import', file], ['export', join(dir, 'x')], ['verify'], ['compare', file]]) {
        const run = await cli(['store', ...words], { config });
        expect(run.code).toBe(5);
        expect(run.stderr).toContain('the cloud runs: controller/c1');
      }
      await lease.close();
    } finally {
      await store.close();
    }
    expect(await cli(['store', 'import', file], { config })).toMatchObject({ code: 0 });
    const full = await cli(['store', 'import', file], { config });
    expect(full).toMatchObject({ code: 5 });
    expect(full.stderr).toContain('goes into an empty store only');
  });

  real('verify says which server does not answer', async () => {
    const prefix = 'moved';
    const path = join(dir, 'two.yaml');
    const etcd = { endpoints: [...(cluster?.endpoints ?? []), 'http://localhost:1'], prefix: `${prefix}/` };
    writeFileSync(path, JSON.stringify({ ...etcdConfig(prefix), store: { engine: 'etcd', etcd } }));
    const run = await cli(['store', 'verify'], { config: path });
    expect(run.code).toBe(1);
    expect(run.stdout).toContain('http://localhost:1');
  });
});
