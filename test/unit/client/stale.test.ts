import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { AdminServer } from '../../../src/controller/api/admin/admin-server.ts';
import type { OperationOutput } from '../../../src/messages/operations/index.ts';
import type { Store } from '../../../src/ports/store.ts';
import { runCli } from '../../support/run-cli.ts';
import { startSimCloud, type SimCloud } from '../../support/sim-cloud.ts';

const random = new SystemRandom();
let dir: string;
let sim: SimCloud;
let server: AdminServer;
let staleMs: number | undefined;

beforeEach(async () => {
  staleMs = undefined;
  dir = mkdtempSync(join(tmpdir(), 'novactl-stale-'));
  const store: Store = createMemoryStore({ clock: new SystemClock(), random });
  const health = store.health.bind(store);
  store.health = () => ({ ...health(), ...(staleMs === undefined ? {} : { staleMs }) });
  sim = await startSimCloud({ store });
  const { gateway, blobs } = sim.cloud;
  const socketPath = join(dir, 'novactl.sock');
  server = new AdminServer({ gateway, blobs, clock: sim.clock, random, logger: silentLogger, socketPath });
  await server.start();
});

afterEach(async () => {
  await server.close();
  await sim.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('answers while the store can not be reached', () => {
  it('[sim] say how old they may be, once a command, on stderr alone', async () => {
    const fresh = await runCli(['host', 'list', '--json'], { runDir: dir });
    expect(fresh.stderr).toBe('');
    staleMs = 12_345;
    const stale = await runCli(['host', 'list', '--json'], { runDir: dir });
    expect(stale.code).toBe(0);
    expect(stale.stderr).toBe("warning: this answer may be 12.3s old: the store can't be reached\n");
    expect((JSON.parse(stale.stdout) as { rev?: number }).rev).toBe((JSON.parse(fresh.stdout) as { rev?: number }).rev);
    expect((await runCli(['status'], { runDir: dir })).stderr.match(/may be/g)).toHaveLength(1);
  });

  it('[sim] tell it to who watches, too', async () => {
    staleMs = 7000;
    const meta = {
      requestId: 'req-1',
      principal: { name: 'admin', projectId: 'admin', roles: ['cloudadmin'], from: 'test' },
    };
    const abort = new AbortController();
    const items = sim.cloud.gateway.stream('WatchCloud', {}, meta, abort.signal)[Symbol.asyncIterator]();
    const first = (await items.next()) as { value: OperationOutput<'WatchCloud'> };
    expect(first.value).toMatchObject({ kind: 'begin', staleMs: 7000 });
    abort.abort();
    await items.return?.(undefined);
  });
});
