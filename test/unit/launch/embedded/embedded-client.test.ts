import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openFileStore } from '../../../../src/adapters/store/file-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { CloudError } from '../../../../src/base/errors.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import { KEYS } from '../../../../src/domain/keys.ts';
import { ConfigSchema } from '../../../../src/launch/config/schema.ts';
import { EmbeddedClient } from '../../../../src/launch/embedded/embedded-client.ts';
import { RecordedCloud } from '../../../../src/launch/embedded/recorded-cloud.ts';

const clock = new SystemClock();
const random = new SystemRandom();
const OF_OTHERS = { operationId: 'op-20260102T030405Z-00000', session: 'another' };
let stateDir: string;
let client: EmbeddedClient;

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), 'novactl-embedded-'));
  const store = await openFileStore({ dir: stateDir, clock, random, logger: silentLogger });
  await store.txn({ puts: [{ key: KEYS.cloud, value: { v: 1, cloudId: 'c-1' } }] });
  await store.close();
  client = new EmbeddedClient({
    ...{ clock, random, logger: silentLogger, version: '1', command: 'test', user: 'test' },
    config: ConfigSchema.parse({ stateDir, drivers: 'simulated' }),
    ...{ noWaitLock: true, timeoutMs: 1000, signal: new AbortController().signal },
    ...{ say: () => undefined, progress: () => undefined, daemonAnswers: () => Promise.resolve(false) },
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await client.close();
  rmSync(stateDir, { recursive: true });
});

describe('reads with no daemon', () => {
  it('that come together open the recorded state once', async () => {
    const open = vi.spyOn(RecordedCloud, 'open');
    const read = () => client.call('DescribeImages', {});
    const answers = await Promise.all([read(), read(), read()]);
    expect(answers.map(({ images }) => images)).toEqual([[], [], []]);
    expect(open).toHaveBeenCalledOnce();
  });

  it('open it again when that failed', async () => {
    vi.spyOn(RecordedCloud, 'open').mockRejectedValueOnce(new CloudError('Unavailable', 'it is being written'));
    await expect(client.call('DescribeImages', {})).rejects.toMatchObject({ code: 'Unavailable' });
    expect((await client.call('DescribeImages', {})).images).toEqual([]);
  });

  it('say that a job runs while the process that began it has the state', async () => {
    const running = async () => (await client.call('DescribeMaintenance', { Jobs: ['verify'] })).jobs[0]?.running;
    const store = await openFileStore({ dir: stateDir, clock, random, logger: silentLogger });
    const record = (startedAtMs: number) => ({ v: 1, job: 'verify', running: { ...OF_OTHERS, startedAtMs } });
    await store.txn({ puts: [{ key: KEYS.maintenance('verify'), value: record(clock.nowMs()) }] });
    expect(await running()).toMatchObject({ isLive: true });
    await store.txn({ puts: [{ key: KEYS.maintenance('verify'), value: record(5) }] });
    expect(await running()).toMatchObject({ isLive: false });
    await store.txn({ puts: [{ key: KEYS.maintenance('verify'), value: record(clock.nowMs()) }] });
    await store.close();
    expect(await running()).toMatchObject({ isLive: false });
  });

  it('change nothing in the state folder, not even what collect would remove', async () => {
    const before = readdirSync(stateDir);
    await client.call('PlanMaintenance', { Job: 'collect' });
    expect(readdirSync(stateDir)).toEqual(before);
  });
});
