import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSealer } from '../../../src/adapters/sealer/key-file-sealer.ts';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { SeededRandom } from '../../../src/base/random.ts';
import { bootstrapCloud } from '../../../src/controller/bootstrap.ts';
import { recordKeyUse } from '../../../src/controller/users/key-use.ts';
import { isUsableKey, KEY_USE_EVERY_MS } from '../../../src/domain/access-key.ts';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { AccessKeyRecord } from '../../../src/domain/records.ts';
import type { Store } from '../../../src/ports/store.ts';
import { ADMIN, startSimCloud, STRANGER, type SimCloud } from '../../support/sim-cloud.ts';
import { until } from '../../support/until.ts';

const clock = new SystemClock();
const random = new SeededRandom(7);
const sealer = createSealer(Buffer.alloc(32, 1), random);
const keysOf = (store: Store): AccessKeyRecord[] =>
  store.range<AccessKeyRecord>(PREFIX.accessKey).map((entry) => entry.value);

describe('the first identity', () => {
  const start = (store: Store, by = sealer) =>
    bootstrapCloud({ store, random, nowMs: 5, sealer: by, accountId: '', holdsPeople: true });

  it('is not written where users are elsewhere, and is when they are here again', async () => {
    const store = createMemoryStore({ clock, random });
    const people = () => store.range('').flatMap(({ key }) => (/^(user|project|account)\//.test(key) ? [key] : []));
    const parts = { store, random, nowMs: 5, sealer, accountId: '111122223333' };
    const cloudId = await bootstrapCloud({ ...parts, holdsPeople: false });
    expect(people()).toEqual([]);
    for (const holdsPeople of [true, true, false])
      expect(await bootstrapCloud({ ...parts, holdsPeople })).toBe(cloudId);
    expect(people().toSorted()).toEqual(['account/111122223333', 'project/admin', 'user/admin']);
    expect(keysOf(store)).toHaveLength(1);
  });

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

  const nobody = { ...STRANGER, principal: { ...STRANGER.principal, roles: [] } };

  it('who is nobody makes, sees and deletes none [sim]', async () => {
    for (const [name, input] of [
      ['CreateAccessKey', {}],
      ['DescribeAccessKeys', {}],
      ['UpdateAccessKey', { AccessKeyId: keysOf(cloud.store)[0]?.id, Status: 'Inactive' }],
      ['RotateAccessKey', { AccessKeyId: keysOf(cloud.store)[0]?.id }],
      ['DeleteAccessKey', { AccessKeyId: keysOf(cloud.store)[0]?.id }],
    ] as const) {
      const asked = cloud.cloud.gateway.unary(name, input, nobody);
      await expect(asked, name).rejects.toMatchObject({ code: 'UnauthorizedOperation' });
    }
    expect(keysOf(cloud.store)).toHaveLength(1);
  });

  const anna = {
    principal: { name: 'anna', userName: 'anna', projectId: 'lab', roles: ['member'], from: 'https 10.0.0.9' },
  };
  const withAnna = () => {
    const project = { v: 1, id: 'lab', accountId: '123456789012', manager: 'admin', createdAtMs: 1 };
    const user = { v: 1, id: 'anna', roles: [], createdAtMs: 1 };
    return cloud.store.txn({
      puts: [
        { key: KEYS.project('lab'), value: { ...project, members: ['admin', 'anna'] } },
        { key: KEYS.user('anna'), value: user },
        { key: KEYS.user('bert'), value: { ...user, id: 'bert' } },
      ],
    });
  };

  it('everybody has their own, and sees and changes no other [sim]', async () => {
    await withAnna();
    const { accessKey: mine } = await cloud.call('CreateAccessKey', {}, anna);
    expect(mine).toMatchObject({ userName: 'anna', projectId: 'lab', status: 'Active' });
    const { accessKey: admins } = await cloud.call('CreateAccessKey', {});
    const seen = await cloud.call('DescribeAccessKeys', {}, anna);
    expect(seen.accessKeys.map(({ accessKeyId }) => accessKeyId)).toEqual([mine.accessKeyId]);
    const asked = { AccessKeyId: admins.accessKeyId };
    const refused = { code: 'InvalidAccessKeyID.NotFound' };
    await expect(cloud.call('DeleteAccessKey', asked, anna)).rejects.toMatchObject(refused);
    await expect(cloud.call('RotateAccessKey', asked, anna)).rejects.toMatchObject(refused);
    await expect(cloud.call('UpdateAccessKey', { ...asked, Status: 'Inactive' }, anna)).rejects.toMatchObject(refused);
    await expect(cloud.call('CreateAccessKey', { UserName: 'bert' }, anna)).rejects.toMatchObject({
      code: 'UnauthorizedOperation',
    });
    const pair = { AccessKeyId: 'MINE', SecretAccessKey: 'given' };
    await expect(cloud.call('CreateAccessKey', pair, anna)).rejects.toMatchObject({ code: 'UnauthorizedOperation' });
    await expect(cloud.call('CreateAccessKey', { UserName: 'bert', ProjectId: 'lab' })).rejects.toMatchObject({
      code: 'InvalidParameterCombination',
    });
    expect((await cloud.call('CreateAccessKey', { UserName: 'anna' })).accessKey.projectId).toBe('lab');
  });

  it('a pair that others know is taken from the administrator, and named in no record [sim]', async () => {
    const pair = { AccessKeyId: 'test', SecretAccessKey: 'known-to-all$"' };
    const made = await cloud.call('CreateAccessKey', pair);
    expect(made).toMatchObject({ accessKey: { accessKeyId: 'test' }, secretAccessKey: pair.SecretAccessKey });
    await expect(cloud.call('CreateAccessKey', pair)).rejects.toMatchObject({ code: 'AlreadyExists' });
    await expect(cloud.call('CreateAccessKey', { AccessKeyId: 'other' })).rejects.toMatchObject({
      code: 'InvalidParameterCombination',
    });
    const record = cloud.store.get<AccessKeyRecord>(KEYS.accessKey('test'))?.value;
    const sealed = record?.sealedSecret ?? '';
    expect(cloud.cloud.context.sealer.unseal(sealed, KEYS.accessKey('test'))).toBe(pair.SecretAccessKey);
    expect(JSON.stringify(cloud.store.range('').map((entry) => entry.value))).not.toContain('known-to-all');
  });

  it('one that is rotated stays good for a while beside the new one, then is refused [sim]', async () => {
    const { accessKey: old } = await cloud.call('CreateAccessKey', {});
    const asked = { AccessKeyId: old.accessKeyId, OverlapSeconds: 3600 };
    const { accessKey, previous, secretAccessKey } = await cloud.call('RotateAccessKey', asked);
    expect(accessKey).toMatchObject({ userName: 'admin', projectId: 'admin', status: 'Active' });
    expect(secretAccessKey).toHaveLength(40);
    expect(previous).toMatchObject({ accessKeyId: old.accessKeyId, status: 'Active' });
    const record = cloud.store.get<AccessKeyRecord>(KEYS.accessKey(old.accessKeyId))?.value;
    const endMs = record?.expiresAtMs ?? 0;
    expect(endMs - Date.now()).toBeGreaterThan(3_500_000);
    expect([isUsableKey(record, endMs - 1), isUsableKey(record, endMs)]).toEqual([true, false]);
    await expect(cloud.call('RotateAccessKey', asked)).rejects.toMatchObject({ code: 'IncorrectState' });
    const now = await cloud.call('RotateAccessKey', { AccessKeyId: accessKey.accessKeyId, OverlapSeconds: 0 });
    expect(now.previous.status).toBe('Expired');
  });

  it('one that is disabled signs nothing until it is enabled [sim]', async () => {
    const { accessKey } = await cloud.call('CreateAccessKey', {});
    const usable = () =>
      isUsableKey(cloud.store.get<AccessKeyRecord>(KEYS.accessKey(accessKey.accessKeyId))?.value, Date.now());
    const { accessKeyId: AccessKeyId } = accessKey;
    expect(usable()).toBe(true);
    const off = await cloud.call('UpdateAccessKey', { AccessKeyId, Status: 'Inactive' });
    expect([off.accessKey.status, usable()]).toEqual(['Inactive', false]);
    await expect(cloud.call('RotateAccessKey', { AccessKeyId })).rejects.toMatchObject({ code: 'IncorrectState' });
    await cloud.call('UpdateAccessKey', { AccessKeyId, Status: 'Active' });
    expect(usable()).toBe(true);
  });

  it('the use of one is written once in a quarter of an hour, and not of one that is gone [sim]', async () => {
    const { accessKey } = await cloud.call('CreateAccessKey', {});
    const { accessKeyId } = accessKey;
    const principal = { ...ADMIN.principal, accessKeyId, from: 'ec2 10.0.0.9' };
    const before = cloud.store.rev;
    for (let n = 0; n < 20; n += 1) await cloud.call('DescribeAccessKeys', {}, { principal });
    const seen = await until(
      async () => {
        const { accessKeys } = await cloud.call('DescribeAccessKeys', {});
        return accessKeys.find((row) => row.accessKeyId === accessKeyId && row.lastUsedAtMs !== undefined);
      },
      { what: 'the use is written', everyMs: 5 },
    );
    expect(seen.lastUsedOn).toBe('ec2');
    const atMs = seen.lastUsedAtMs ?? 0;
    const use = (ms: number) => recordKeyUse(cloud.cloud.context, { v: 1, accessKeyId, edge: 'https', atMs: ms });
    await Promise.all([use(atMs + 1), use(atMs + KEY_USE_EVERY_MS - 1)]);
    expect(cloud.store.rev).toBe(before + 1);
    await Promise.all([1, 2, 3].map((ms) => use(atMs + KEY_USE_EVERY_MS + ms)));
    expect(cloud.store.rev).toBe(before + 2);
    await cloud.call('DeleteAccessKey', { AccessKeyId: accessKeyId });
    await use(atMs + 3 * KEY_USE_EVERY_MS);
    expect(cloud.store.count('access-key-use/')).toBe(0);
  });
});
