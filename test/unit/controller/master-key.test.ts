import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openKeyFileSealer } from '../../../src/adapters/sealer/key-file-sealer.ts';
import { createMemoryStore } from '../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../src/base/clock.ts';
import { CloudError } from '../../../src/base/errors.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { STEPS } from '../../../src/controller/operations/master-key.ts';
import { bootstrapCloud } from '../../../src/controller/bootstrap.ts';
import { newAccessKey } from '../../../src/controller/users/new-access-key.ts';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { AccessKeyRecord, SealCheckRecord } from '../../../src/domain/records.ts';
import type { Sealer } from '../../../src/ports/sealer.ts';
import type { Store } from '../../../src/ports/store.ts';
import { startSimCloud } from '../../support/sim-cloud.ts';

const random = new SystemRandom();
const clock = new SystemClock();
const KEYS_MADE = 5;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-master-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

const keyFile = (): string => readFileSync(join(dir, 'seal.key'), 'utf8');
const openSealer = (): Promise<Sealer> => openKeyFileSealer({ stateDir: dir, random, mustExist: false });

/** A store with some access keys, and their secrets. */
async function madeStore(): Promise<{ store: Store; secrets: ReadonlyMap<string, string> }> {
  const store = createMemoryStore({ clock, random });
  const sealer = await openSealer();
  await bootstrapCloud({ store, random, nowMs: 5, sealer, accountId: '', holdsPeople: true });
  const secrets = new Map<string, string>();
  for (let n = 0; n < KEYS_MADE; n += 1) {
    const { record, secret } = newAccessKey({ random, sealer, nowMs: 5 }, { userId: 'admin', projectId: 'admin' });
    await store.txn({ puts: [{ key: KEYS.accessKey(record.id), value: { ...record } }] });
    secrets.set(record.id, secret);
  }
  return { store, secrets };
}

/** As a process that starts now: by the file alone. */
async function expectAllOpen(store: Store, secrets: ReadonlyMap<string, string>): Promise<void> {
  const sealer = await openSealer();
  const check = store.get<SealCheckRecord>(KEYS.sealCheck)?.value.sealed ?? '';
  expect(sealer.unseal(check, KEYS.sealCheck)).toBe('novactl');
  for (const [id, secret] of secrets) {
    const key = KEYS.accessKey(id);
    expect(sealer.unseal(store.get<AccessKeyRecord>(key)?.value.sealedSecret ?? '', key)).toBe(secret);
  }
}

/** The process dies at its n-th write, of the store or of the key file. */
class Crash extends Error {}

function mortal(store: Store, sealer: Sealer, writes: number): { store: Store; sealer: Sealer } {
  let left = writes;
  const write = async <T>(run: () => Promise<T>): Promise<T> => {
    if (left === 0) throw new Crash();
    left -= 1;
    return run();
  };
  const { masterKeys } = sealer;
  if (masterKeys === undefined) throw new Error('the sealer has no file');
  return {
    store: new Proxy(store, {
      get: (target, name) => {
        if (name === 'txn') return (txn: Parameters<Store['txn']>[0]) => write(() => target.txn(txn));
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    }),
    sealer: {
      ...sealer,
      masterKeys: {
        ...masterKeys,
        prepare: () => write(() => masterKeys.prepare()),
        promote: () => write(() => masterKeys.promote()),
        forget: () => write(() => masterKeys.forget()),
      },
    },
  };
}

async function rotate({ store, sealer }: { store: Store; sealer: Sealer }): Promise<number> {
  if (sealer.masterKeys === undefined) throw new Error('the sealer has no file');
  const cloud = { store, sealer, process: { storeEngine: 'file' } };
  return STEPS.whole({ cloud, masterKeys: sealer.masterKeys });
}

describe('another master key', () => {
  it('seals everything anew, and the old one is gone', async () => {
    const { store, secrets } = await madeStore();
    const before = keyFile().trim();
    const sealer = await openSealer();
    // The first key and the check that it is the right one are sealed too.
    expect(await rotate({ store, sealer })).toBe(KEYS_MADE + 2);
    expect(keyFile()).not.toContain(before);
    expect(keyFile().trim().split('\n')).toHaveLength(1);
    expect(statSync(join(dir, 'seal.key')).mode & 0o777).toBe(0o600);
    await expectAllOpen(store, secrets);
    expect(sealer.unseal(sealer.seal('text', 'a'), 'a')).toBe('text');
  });

  it('may be cut off at any moment: nothing is lost, and the same again ends it', async () => {
    const { store: whole } = await madeStore();
    const records = whole.range(PREFIX.accessKey).length + 1;
    const steps = records + 3;
    rmSync(join(dir, 'seal.key'));
    for (let writes = 0; writes <= steps; writes += 1) {
      const { store, secrets } = await madeStore();
      const dying = rotate(mortal(store, await openSealer(), writes));
      if (writes < steps) await expect(dying, `after ${writes} writes`).rejects.toBeInstanceOf(Crash);
      else await dying;
      await expectAllOpen(store, secrets);
      await rotate({ store, sealer: await openSealer() });
      expect(keyFile().trim().split('\n'), `after ${writes} writes`).toHaveLength(1);
      await expectAllOpen(store, secrets);
    }
  });

  it('is found by a process that has the old one in memory, for opening and for sealing', async () => {
    const { store, secrets } = await madeStore();
    const other = await openSealer();
    await rotate({ store, sealer: await openSealer() });
    for (const [id, secret] of secrets) {
      const key = KEYS.accessKey(id);
      expect(other.unseal(store.get<AccessKeyRecord>(key)?.value.sealedSecret ?? '', key)).toBe(secret);
    }
    expect((await openSealer()).unseal(other.seal('text', 'a'), 'a')).toBe('text');
  });

  it('of a shared cloud comes in three steps, with both keys good between, and none is skipped', async () => {
    const { store, secrets } = await madeStore();
    const sealer = await openSealer();
    if (sealer.masterKeys === undefined) throw new Error('the sealer has no file');
    const tools = { cloud: { store, sealer, process: { storeEngine: 'etcd' } }, masterKeys: sealer.masterKeys };
    await expect(STEPS.whole(tools)).rejects.toMatchObject({ code: 'InvalidParameterCombination' });
    await expect(STEPS.reseal(tools)).rejects.toMatchObject({ code: 'IncorrectState' });
    await STEPS.prepare(tools);
    const prepared = keyFile();
    await STEPS.prepare(tools);
    expect(keyFile()).toBe(prepared);
    expect(await STEPS.reseal(tools)).toBe(KEYS_MADE + 2);
    await expect(STEPS.prepare(tools)).rejects.toMatchObject({ code: 'IncorrectState' });
    // One that still seals by the key of before, from its own copy of the prepared file.
    const late = sealer.masterKeys.state().old;
    expect(late).toHaveLength(1);
    await expectAllOpen(store, secrets);
    expect(await STEPS.forget(tools)).toBe(0);
    expect(sealer.masterKeys.state()).toMatchObject({ old: [] });
    await expectAllOpen(store, secrets);
  });

  it('does not forget the old one while a secret needs it', async () => {
    const { store, secrets } = await madeStore();
    const sealer = await openSealer();
    if (sealer.masterKeys === undefined) throw new Error('the sealer has no file');
    await sealer.masterKeys.prepare();
    await sealer.masterKeys.promote();
    const cloud = { store, sealer, process: { storeEngine: 'file' } };
    const forgotten = STEPS.forget({ cloud, masterKeys: sealer.masterKeys });
    await expect(forgotten).rejects.toMatchObject({ code: 'IncorrectState' });
    await expectAllOpen(store, secrets);
  });

  it('is asked for by an operation, which says which key it is now [sim]', async () => {
    const sim = await startSimCloud({ hosts: [], stateDir: dir });
    const { accessKey, secretAccessKey } = await sim.call('CreateAccessKey', {});
    const { masterKeyId, resealed } = await sim.call('RotateMasterKey', {});
    expect(resealed).toBe(2);
    expect(masterKeyId).toMatch(/^[0-9a-f]{16}$/);
    await expectAllOpen(sim.store, new Map([[accessKey.accessKeyId, secretAccessKey]]));
    await sim.close();
  });

  it('is refused where the state is in memory [sim]', async () => {
    const sim = await startSimCloud({ hosts: [], config: { store: { engine: 'memory' } } });
    const error: unknown = await sim.call('RotateMasterKey', {}).catch((thrown: unknown) => thrown);
    expect(error instanceof CloudError && error.code).toBe('UnsupportedOperation');
    await sim.close();
  });
});
