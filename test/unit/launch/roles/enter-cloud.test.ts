import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMemoryStore } from '../../../../src/adapters/store/memory-store.ts';
import { SystemClock } from '../../../../src/base/clock.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import { PREFIX } from '../../../../src/domain/keys.ts';
import { ConfigSchema, type Role } from '../../../../src/launch/config/schema.ts';
import { type EnteredCloud, enterCloud } from '../../../../src/launch/roles/enter-cloud.ts';
import type { Store } from '../../../../src/ports/store.ts';

const clock = new SystemClock();
const random = new SystemRandom();
let dir: string;
let store: Store;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-enter-'));
  store = createMemoryStore({ clock, random });
});
afterEach(async () => {
  await store.close();
  rmSync(dir, { recursive: true });
});

/** A process whose folder of secrets has that name. */
function enter(secrets: string, role: Role = 'controller', signal?: AbortSignal): Promise<EnteredCloud> {
  const config = ConfigSchema.parse({ stateDir: join(dir, `state-${secrets}`), secretsDir: join(dir, secrets) });
  const plan = { roles: [role], name: secrets, shared: true };
  const asked = { config, plan, store, clock, random, logger: silentLogger };
  return enterCloud(signal === undefined ? asked : { ...asked, signal });
}

describe('several processes on an empty store', () => {
  it('make one cloud with one set of secrets, from one folder at once', async () => {
    const entered = await Promise.all([enter('shared'), enter('shared'), enter('shared')]);
    expect(new Set(entered.map(({ cloudId }) => cloudId)).size).toBe(1);
    expect(store.count(PREFIX.accessKey)).toBe(1);
    for (const file of ['seal.key', 'ssh/id_ed25519', 'ssh/id_ed25519.pub', 'tls/ca.pem', 'tls/ca.key'])
      expect([file, existsSync(join(dir, 'shared', file))]).toEqual([file, true]);
    const sealed = entered[0]?.sealer.seal('word', 'place') ?? '';
    expect(entered[2]?.sealer.unseal(sealed, 'place')).toBe('word');
  });

  it('make one cloud from folders of their own too; who came second is told what to copy', async () => {
    const ended = await Promise.allSettled([enter('one'), enter('two')]);
    expect(ended.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const refused = ended.findIndex(({ status }) => status === 'rejected');
    const [loser, winner] = refused === 0 ? ['one', 'two'] : ['two', 'one'];
    expect(ended[refused]).toMatchObject({
      reason: {
        code: 'CorruptState',
        message: expect.stringMatching(/copy seal\.key, ssh\/id_ed25519.*secretsDir/) as string,
      },
    });
    // What it made is of no use to anybody.
    expect(existsSync(join(dir, loser, 'seal.key'))).toBe(false);
    cpSync(join(dir, winner), join(dir, loser), { recursive: true });
    const again = await enter(loser);
    expect(again.cloudId).toBe((await enter(winner)).cloudId);
  });

  it('keep the seal key that the cloud was made with, when another secret can not be used', async () => {
    mkdirSync(join(dir, 'half', 'tls'), { recursive: true });
    await writeFile(join(dir, 'half', 'tls', 'ca.pem'), 'what somebody copied without its key');
    await expect(enter('half')).rejects.toMatchObject({ code: 'CorruptState' });
    expect([store.count(PREFIX.accessKey), existsSync(join(dir, 'half', 'seal.key'))]).toEqual([1, true]);
    rmSync(join(dir, 'half', 'tls'), { recursive: true });
    expect((await enter('half')).cloudId).not.toBe('');
  });

  it('are waited for by an api, which makes nothing', async () => {
    const api = enter('shared', 'api');
    const { cloudId } = await enter('shared');
    expect((await api).cloudId).toBe(cloudId);
    const leaving = AbortSignal.timeout(50);
    await store.close();
    store = createMemoryStore({ clock, random });
    await expect(enter('other', 'api', leaving)).rejects.toMatchObject({ name: 'TimeoutError' });
    expect([store.count(''), existsSync(join(dir, 'other'))]).toEqual([0, false]);
  });
});

describe('a process without the secrets of its cloud', () => {
  beforeEach(async () => {
    await enter('first');
  });

  it.each<[Role]>([['controller'], ['api']])('is refused as %s, and none are made for it', async (role) => {
    await expect(enter('none', role)).rejects.toMatchObject({
      code: 'CorruptState',
      message: expect.stringContaining('seal.key is missing') as string,
    });
    expect(existsSync(join(dir, 'none', 'seal.key'))).toBe(false);
  });

  it.each([
    ['ssh', 'ssh/id_ed25519 is missing'],
    ['tls', 'tls/ca.pem is missing'],
  ])('is refused when %s was not copied', async (left, words) => {
    cpSync(join(dir, 'first'), join(dir, 'half'), { recursive: true });
    rmSync(join(dir, 'half', left), { recursive: true });
    await expect(enter('half')).rejects.toMatchObject({ message: expect.stringContaining(words) as string });
    expect(existsSync(join(dir, 'half', left, 'id_ed25519'))).toBe(false);
  });

  it('is refused when they are another cloud’s', async () => {
    const own = store;
    store = createMemoryStore({ clock, random });
    await enter('other');
    await store.close();
    store = own;
    cpSync(join(dir, 'first'), join(dir, 'mixed'), { recursive: true });
    cpSync(join(dir, 'other', 'ssh'), join(dir, 'mixed', 'ssh'), { recursive: true });
    await expect(enter('mixed')).rejects.toMatchObject({
      message: expect.stringContaining('is not the key of this cloud') as string,
    });
  });
});
