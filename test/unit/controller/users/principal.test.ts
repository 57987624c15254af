import { describe, expect, it } from 'vitest';
import { createStoreDirectory } from '../../../../src/adapters/directory/store-directory.ts';
import { createMemoryStore } from '../../../../src/adapters/store/memory-store.ts';
import { CloudError } from '../../../../src/base/errors.ts';
import { SystemRandom } from '../../../../src/base/random.ts';
import { principalOf, type PrincipalAsk } from '../../../../src/controller/users/principal.ts';
import { KEYS } from '../../../../src/domain/keys.ts';
import type { Directory } from '../../../../src/ports/directory.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const random = new SystemRandom();
const CACHE_MS = 5000;
const ASK: PrincipalAsk = { userName: 'alice', projectId: 'p', from: 'test' };

/** A directory elsewhere: answers are counted, and it can be away. */
class Elsewhere {
  asked = 0;
  away = false;

  readonly inner: Directory;

  constructor(inner: Directory) {
    this.inner = inner;
  }

  directory(): Directory {
    const { inner } = this;
    const ask = <T>(answer: () => Promise<T>): Promise<T> => {
      this.asked += 1;
      if (this.away) return Promise.reject(new CloudError('Unavailable', 'the directory is away'));
      return answer();
    };
    return {
      kind: 'ldap',
      user: (name) => ask(() => inner.user(name)),
      users: () => inner.users(),
      project: (id) => ask(() => inner.project(id)),
      projects: () => inner.projects(),
      projectsOf: (name) => inner.projectsOf(name),
      authenticate: (name, password) => inner.authenticate(name, password),
      apply: (change) => inner.apply(change),
      problem: () => (this.away ? 'away' : undefined),
      close: () => inner.close(),
    };
  }
}

async function setUp() {
  const clock = new ManualClock();
  const store = createMemoryStore({ clock, random });
  const inner = createStoreDirectory({ store, random });
  const elsewhere = new Elsewhere(inner);
  for (const name of ['alice', 'bob', 'root']) {
    const user = { name, enabled: true, roles: name === 'root' ? (['cloudadmin'] as const) : [], createdAtMs: 1 };
    await inner.apply({ kind: 'create-user', user });
  }
  const project = { id: 'p', accountId: '000000000001', manager: 'bob', members: ['alice', 'bob'], createdAtMs: 1 };
  await inner.apply({ kind: 'create-project', project: { ...project, roles: { alice: ['netadmin'] } } });
  const policy = { directoryCacheMs: CACHE_MS } as Parameters<typeof principalOf>[0]['policy'];
  const near = { clock, store, policy, directory: inner };
  const far = { clock, store, policy, directory: elsewhere.directory() };
  return { clock, store, inner, elsewhere, near, far };
}

describe('who a user is in a project', () => {
  it('has the roles of the cloud and of the project', async () => {
    const { near } = await setUp();
    expect(await principalOf(near, { ...ASK, accessKeyId: 'AKIA1' })).toEqual({
      name: 'alice/AKIA1',
      ...{ userName: 'alice', accessKeyId: 'AKIA1', projectId: 'p', from: 'test', roles: ['netadmin', 'member'] },
    });
    expect((await principalOf(near, { ...ASK, userName: 'bob' })).roles).toEqual(['manager', 'member']);
    expect((await principalOf(near, { ...ASK, ownProjectOnly: true })).ownProjectOnly).toBe(true);
  });

  it('a cloudadmin works everywhere, and in a project alone cloudadmin is its manager', async () => {
    const { near, inner } = await setUp();
    expect((await principalOf(near, { ...ASK, userName: 'root' })).roles).toEqual(['cloudadmin']);
    await inner.apply({ kind: 'add-role', user: 'alice', role: 'cloudadmin', projectId: 'p' });
    expect((await principalOf(near, ASK)).roles).toEqual(['netadmin', 'manager', 'member']);
  });

  it.each([
    ['a user who is not there', { userName: 'ghost' }, 'AuthFailure', 'ghost is not there any more'],
    [
      'a project that is not there, to a cloudadmin',
      { userName: 'root', projectId: 'ghost' },
      'AuthFailure',
      'there is no project ghost',
    ],
    ['what is no name', { userName: '../admin' }, 'AuthFailure', 'is not there any more'],
  ])('%s is refused', async (_what, differs, code, message) => {
    const { near } = await setUp();
    await expect(principalOf(near, { ...ASK, ...differs })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
    });
  });

  it('a project of others is refused in the words of one that is not there', async () => {
    const { near, far, inner } = await setUp();
    const other = { id: 'other', accountId: '000000000002', manager: 'bob', members: ['bob'], roles: {} };
    await inner.apply({ kind: 'create-project', project: { ...other, createdAtMs: 1 } });
    for (const context of [near, far]) {
      for (const accessKeyId of [undefined, 'AKIA1']) {
        const answer = async (projectId: string): Promise<string> => {
          const ask = { ...ASK, projectId, ...(accessKeyId === undefined ? {} : { accessKeyId }) };
          const error: unknown = await principalOf(context, ask).catch((thrown: unknown) => thrown);
          return JSON.stringify((error as CloudError).flatten()).replaceAll(projectId, 'NAME');
        };
        expect(await answer('ghost')).toBe(await answer('other'));
        expect(await answer('ghost')).toContain('"code":"UnauthorizedOperation"');
      }
    }
  });

  it('who was disabled, or left the project, is refused at once', async () => {
    const { near, inner } = await setUp();
    await inner.apply({ kind: 'modify-user', name: 'alice', enabled: false });
    await expect(principalOf(near, ASK)).rejects.toMatchObject({ code: 'AuthFailure' });
    await inner.apply({ kind: 'modify-user', name: 'alice', enabled: true });
    await inner.apply({ kind: 'remove-member', projectId: 'p', user: 'alice' });
    await expect(principalOf(near, ASK)).rejects.toMatchObject({ code: 'UnauthorizedOperation' });
  });
});

describe('what a directory elsewhere said', () => {
  it('counts for its time, and is asked for once by many', async () => {
    const { clock, far, elsewhere, inner } = await setUp();
    await Promise.all([principalOf(far, ASK), principalOf(far, ASK), principalOf(far, ASK)]);
    expect(elsewhere.asked).toBe(2);
    await inner.apply({ kind: 'remove-role', user: 'alice', role: 'netadmin', projectId: 'p' });
    await clock.advance(CACHE_MS);
    expect((await principalOf(far, ASK)).roles).toContain('netadmin');
    await clock.advance(1);
    expect((await principalOf(far, ASK)).roles).not.toContain('netadmin');
    expect(elsewhere.asked).toBe(4);
  });

  it('is asked for again at once after a change by this cloud', async () => {
    const { far, store, inner } = await setUp();
    await principalOf(far, ASK);
    await inner.apply({ kind: 'modify-user', name: 'alice', enabled: false });
    await store.txn({ puts: [{ key: KEYS.directoryChange, value: { v: 1 } }] });
    await expect(principalOf(far, ASK)).rejects.toMatchObject({ code: 'AuthFailure' });
  });

  it('counts for a minute while it is away, and then nobody knows', async () => {
    const { clock, far, elsewhere } = await setUp();
    await principalOf(far, ASK);
    elsewhere.away = true;
    await clock.advance(60_000);
    expect((await principalOf(far, ASK)).roles).toContain('netadmin');
    await expect(principalOf(far, { ...ASK, userName: 'bob' })).rejects.toMatchObject({ code: 'Unavailable' });
    await clock.advance(1);
    await expect(principalOf(far, ASK)).rejects.toMatchObject({ code: 'Unavailable', status: 503 });
    elsewhere.away = false;
    expect((await principalOf(far, ASK)).roles).toContain('netadmin');
  });

  it('is not believed in an outage when this cloud has changed it since', async () => {
    const { far, store, elsewhere } = await setUp();
    await principalOf(far, ASK);
    await store.txn({ puts: [{ key: KEYS.directoryChange, value: { v: 1 } }] });
    elsewhere.away = true;
    await expect(principalOf(far, ASK)).rejects.toMatchObject({ code: 'Unavailable' });
  });

  it('that somebody was not there is no answer in an outage', async () => {
    const { clock, far, elsewhere } = await setUp();
    const ghost = { ...ASK, userName: 'ghost' };
    await expect(principalOf(far, ghost)).rejects.toMatchObject({ code: 'AuthFailure' });
    elsewhere.away = true;
    await clock.advance(CACHE_MS + 1);
    await expect(principalOf(far, ghost)).rejects.toMatchObject({ code: 'Unavailable' });
  });
});
