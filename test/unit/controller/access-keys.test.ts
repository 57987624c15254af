import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSealer } from '../../../src/adapters/sealer/key-file-sealer.ts';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { bootstrapCloud } from '../../../src/controller/bootstrap.ts';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { AccessKeyRecord } from '../../../src/domain/records.ts';
import type { Store } from '../../../src/ports/store.ts';
import { ADMIN, startSimCloud, STRANGER, type SimCloud } from '../../support/sim-cloud.ts';

const clock = new SystemClock();
const random = new SeededRandom(7);
const sealer = createSealer(Buffer.alloc(32, 1), random);
const keysOf = (store: Store): AccessKeyRecord[] =>
  store.range<AccessKeyRecord>(PREFIX.accessKey).map((entry) => entry.value);

describe('the first identity', () => {
  const start = (store: Store, by = sealer) => bootstrapCloud({ store, random, nowMs: 5, sealer: by });

  it('is made once, with one access key', async () => {
    const store = createMemoryStore({ clock, random });
    const cloudId = await start(store);
    const [key, ...more] = keysOf(store);
    expect(more).toEqual([]);
    expect(key?.id).toMatch(/^AKIA[A-Z2-7]{16}$/);
    expect(key).toMatchObject({ userId: 'admin', projectId: 'admin', active: true, issued: false });
    expect(sealer.unseal(key?.sealedSecret ?? '', KEYS.accessKey(key?.id ?? ''))).toHaveLength(40);
    expect(await start(store)).toBe(cloudId);
    expect(keysOf(store)).toEqual([key]);
    await store.close();
  });

  it('comes to a state of before, and does not come back when it was deleted', async () => {
    const store = createMemoryStore({ clock, random });
    const dels = [KEYS.sealCheck, ...keysOf(store).map((key) => KEYS.accessKey(key.id))];
    const cloudId = await start(store);
    await store.txn({ guards: [], puts: [], dels });
    const [first] = keysOf(store);
    await store.txn({ guards: [], puts: [], dels: [KEYS.sealCheck, KEYS.accessKey(first?.id ?? '')] });
    expect(await start(store)).toBe(cloudId);
    const [second] = keysOf(store);
    expect(second?.id).not.toBe(first?.id);
    await store.txn({ guards: [], puts: [], dels: [KEYS.accessKey(second?.id ?? '')] });
    await start(store);
    expect(keysOf(store)).toEqual([]);
    await store.close();
  });

  it('is not touched by who has another seal key', async () => {
    const store = createMemoryStore({ clock, random });
    await start(store);
    const before = store.rev;
    const other = createSealer(Buffer.alloc(32, 2), random);
    await expect(start(store, other)).rejects.toMatchObject({ code: 'CorruptState' });
    expect(store.rev).toBe(before);
    await store.close();
  });
});

describe('access keys', () => {
  let cloud: SimCloud;
  let stateDir: string;
  beforeEach(async () => {
    stateDir = mkdtempSync(join(tmpdir(), 'novactl-keys-'));
    cloud = await startSimCloud({ stateDir, hosts: [] });
  });
  afterEach(async () => {
    await cloud.close();
    rmSync(stateDir, { recursive: true });
  });

  it('the first goes to who asks first, every other is new [sim]', async () => {
    const [first] = keysOf(cloud.store);
    const made = await Promise.all([1, 2, 3, 4].map(() => cloud.call('CreateAccessKey', {})));
    const ids = made.map(({ accessKey }) => accessKey.accessKeyId);
    expect(new Set(ids).size).toBe(4);
    expect(ids).toContain(first?.id);
    expect(new Set(made.map(({ secretAccessKey }) => secretAccessKey)).size).toBe(4);
    const { accessKeys } = await cloud.call('DescribeAccessKeys', {});
    expect(accessKeys).toHaveLength(4);
    expect(accessKeys.every(({ issued, status }) => issued && status === 'Active')).toBe(true);
    expect(JSON.stringify(accessKeys)).not.toMatch(/secret|sealed/i);
  });

  it('a secret is not kept for a repeated token [sim]', async () => {
    const meta = { ...ADMIN, clientToken: 'once' };
    const made = (await cloud.cloud.gateway.unary('CreateAccessKey', {}, meta)) as { secretAccessKey: string };
    await expect(cloud.cloud.gateway.unary('CreateAccessKey', {}, meta)).rejects.toMatchObject({
      code: 'AlreadyExists',
    });
    expect(JSON.stringify(cloud.store.range('').map((entry) => entry.value))).not.toContain(made.secretAccessKey);
  });

  it('only the administrator makes, sees and deletes them [sim]', async () => {
    for (const [name, input] of [
      ['CreateAccessKey', {}],
      ['DescribeAccessKeys', {}],
      ['DeleteAccessKey', { AccessKeyId: keysOf(cloud.store)[0]?.id }],
    ] as const) {
      const asked = cloud.cloud.gateway.unary(name, input, STRANGER);
      await expect(asked, name).rejects.toMatchObject({ code: 'UnauthorizedOperation' });
    }
    expect(keysOf(cloud.store)).toHaveLength(1);
  });
});
