import { afterEach, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import type { Directory, DirectoryChange, DirectoryProject, DirectoryUser } from '../../src/ports/directory.ts';
import { canary } from '../support/canaries.ts';
import { directoryProjectCases } from './directory-projects.ts';
import { directoryRaceCases } from './directory-races.ts';

export interface DirectorySubject {
  /** Empty at the start of each test. */
  readonly directory: Directory;
  /** The same people, as another process asks for them. May be the same object where there can be no other process. */
  readonly second: Directory;
  close(): Promise<void>;
}

/** What the cases work with: the subject of the running test. */
export interface DirectoryProbe {
  readonly directory: Directory;
  readonly second: Directory;
  apply(...changes: readonly DirectoryChange[]): Promise<void>;
  /** Makes users of these names, with no password and no role. */
  people(...names: readonly string[]): Promise<void>;
}

export const CREATED_AT_MS = 1_700_000_000_123;

export const user = (name: string, more: Partial<DirectoryUser> = {}): DirectoryUser => ({
  ...{ name, enabled: true, roles: [], createdAtMs: CREATED_AT_MS },
  ...more,
});

export const project = (id: string, more: Partial<DirectoryProject> = {}): DirectoryProject => ({
  ...{ id, accountId: '123456789012', manager: 'alice', members: ['alice'], roles: {}, createdAtMs: CREATED_AT_MS },
  ...more,
});

/** Texts that are no names: filters, parts of distinguished names, other spellings. */
export const NO_NAMES: readonly string[] = [
  ...['*)(uid=*', 'alice)(objectClass=*', '*', 'a*', '\\2a', 'alice,ou=users', 'cn=alice', 'alice+cn=x', 'a=b'],
  ...[
    '',
    ' ',
    ' alice',
    'alice ',
    'ALICE',
    'Alice',
    'alice\0',
    'alice\n',
    '../alice',
    'user/alice',
    '.alice',
    '-alice',
  ],
  ...['älice', 'ａlice', 'a'.repeat(65), '__proto__'],
];

const PASSWORD = canary("a user's password");

/** In any order, since the port promises none. */
export function sorted(found: DirectoryProject | undefined): DirectoryProject | undefined {
  if (found === undefined) return undefined;
  const roles = Object.entries(found.roles).map(([name, of]) => [name, of.toSorted()] as const);
  return { ...found, members: found.members.toSorted(), roles: Object.fromEntries(roles) };
}

const namesOf = (users: readonly DirectoryUser[]): string[] => users.map(({ name }) => name).toSorted();

/** What every Directory must do; run over each adapter. */
export function directoryContract(name: string, open: (ctx: TestContext) => Promise<DirectorySubject>): void {
  describe(`Directory contract: ${name}`, () => {
    let subject: DirectorySubject | undefined;
    const there = (): DirectorySubject => {
      if (subject === undefined) throw new Error('no subject');
      return subject;
    };
    beforeEach(async (ctx) => {
      subject = await open(ctx);
    });
    afterEach(async () => {
      await subject?.close();
      subject = undefined;
    });
    const probe: DirectoryProbe = {
      get directory() {
        return there().directory;
      },
      get second() {
        return there().second;
      },
      apply: async (...changes) => {
        for (const change of changes) await there().directory.apply(change);
      },
      people: async (...names) => {
        for (const each of names) await there().directory.apply({ kind: 'create-user', user: user(each) });
      },
    };
    describe('users', () => userCases(probe));
    describe('passwords', () => passwordCases(probe));
    describe('projects', () => directoryProjectCases(probe));
    describe('at the same time', () => directoryRaceCases(probe));
  });
}

function userCases(probe: DirectoryProbe): void {
  it('nobody is there at first', async () => {
    expect(await probe.directory.users()).toEqual([]);
    expect(await probe.directory.projects()).toEqual([]);
    expect(await probe.directory.user('alice')).toBeUndefined();
    expect(await probe.directory.projectsOf('alice')).toEqual([]);
    expect(probe.directory.problem()).toBeUndefined();
  });

  it('a user is read as it was made, at once and by everybody', async () => {
    const alice = user('alice', { displayName: 'Alice Ö. Example', email: 'alice@example.org', roles: ['itsec'] });
    const bob = user('bob-2.x_y', { enabled: false });
    await probe.apply({ kind: 'create-user', user: alice }, { kind: 'create-user', user: bob });
    for (const directory of [probe.directory, probe.second]) {
      expect(await directory.user('alice')).toEqual(alice);
      expect(await directory.user('bob-2.x_y')).toEqual(bob);
      expect(namesOf(await directory.users())).toEqual(['alice', 'bob-2.x_y']);
    }
  });

  it('a name is given once, and what was there stays as it was', async () => {
    await probe.apply({ kind: 'create-user', user: user('alice', { email: 'a@example.org' }), password: PASSWORD });
    const again = probe.apply({ kind: 'create-user', user: user('alice'), password: 'something else 2' });
    await expect(again).rejects.toMatchObject({ code: 'InvalidUser.Duplicate' });
    expect(await probe.directory.user('alice')).toEqual(user('alice', { email: 'a@example.org' }));
    expect(await probe.directory.authenticate('alice', PASSWORD)).toBe(true);
    expect(await probe.directory.authenticate('alice', 'something else 2')).toBe(false);
  });

  it('fields are changed, taken away and left alone', async () => {
    await probe.apply({ kind: 'create-user', user: user('alice', { displayName: 'Alice' }) });
    await probe.apply({ kind: 'modify-user', name: 'alice', email: 'alice@example.org' });
    expect(await probe.directory.user('alice')).toEqual(
      user('alice', { displayName: 'Alice', email: 'alice@example.org' }),
    );
    await probe.apply({ kind: 'modify-user', name: 'alice', displayName: 'Alice B.', email: '', enabled: false });
    expect(await probe.directory.user('alice')).toEqual(user('alice', { displayName: 'Alice B.', enabled: false }));
    // The same again, and nothing at all.
    await probe.apply({ kind: 'modify-user', name: 'alice', displayName: 'Alice B.', email: '', enabled: false });
    await probe.apply({ kind: 'modify-user', name: 'alice' });
    expect(await probe.directory.user('alice')).toEqual(user('alice', { displayName: 'Alice B.', enabled: false }));
  });

  it('roles in the whole cloud are added and removed, any number of times', async () => {
    await probe.people('alice', 'bob');
    const add = { kind: 'add-role', user: 'alice', role: 'cloudadmin' } as const;
    const remove = { kind: 'remove-role', user: 'alice', role: 'cloudadmin' } as const;
    await probe.apply(add, add, { ...add, role: 'netadmin' });
    expect((await probe.second.user('alice'))?.roles.toSorted()).toEqual(['cloudadmin', 'netadmin']);
    await probe.apply(remove, remove);
    expect((await probe.second.user('alice'))?.roles).toEqual(['netadmin']);
    expect((await probe.directory.user('bob'))?.roles).toEqual([]);
  });

  it('a deleted user is gone, and a new one of that name begins with nothing', async () => {
    await probe.people('bob');
    await probe.apply(
      { kind: 'create-user', user: user('alice', { roles: ['cloudadmin'], email: 'a@x.org' }), password: PASSWORD },
      { kind: 'create-project', project: project('p', { manager: 'bob', members: ['alice', 'bob'] }) },
      { kind: 'add-role', user: 'alice', role: 'netadmin', projectId: 'p' },
      { kind: 'delete-user', name: 'alice' },
    );
    expect(await probe.directory.user('alice')).toBeUndefined();
    expect(namesOf(await probe.second.users())).toEqual(['bob']);
    expect(await probe.directory.authenticate('alice', PASSWORD)).toBe(false);
    expect(await probe.directory.project('p')).toEqual(project('p', { manager: 'bob', members: ['bob'] }));
    expect(await probe.directory.projectsOf('alice')).toEqual([]);
    await probe.apply({ kind: 'delete-user', name: 'alice' }, { kind: 'create-user', user: user('alice') });
    expect(await probe.directory.user('alice')).toEqual(user('alice'));
    expect(await probe.directory.authenticate('alice', PASSWORD)).toBe(false);
    expect(await probe.directory.projectsOf('alice')).toEqual([]);
    await probe.apply({ kind: 'add-member', projectId: 'p', user: 'alice' });
    expect((await probe.directory.project('p'))?.roles).toEqual({});
  });

  it('whom a change names must be there; to delete nobody is no error', async () => {
    await probe.people('alice');
    const unknown: readonly DirectoryChange[] = [
      { kind: 'modify-user', name: 'ghost', enabled: false },
      { kind: 'add-role', user: 'ghost', role: 'developer' },
      { kind: 'remove-role', user: 'ghost', role: 'developer' },
    ];
    for (const change of unknown) {
      await expect(probe.directory.apply(change), change.kind).rejects.toMatchObject({
        code: 'InvalidUser.NotFound',
        message: expect.stringContaining('ghost') as string,
      });
    }
    await probe.apply({ kind: 'delete-user', name: 'ghost' });
    expect(namesOf(await probe.directory.users())).toEqual(['alice']);
  });

  it('what is no name finds nobody and makes nobody', async () => {
    await probe.apply({ kind: 'create-user', user: user('alice'), password: PASSWORD });
    await probe.apply({ kind: 'create-project', project: project('alice') });
    for (const text of NO_NAMES) {
      expect(await probe.directory.user(text), text).toBeUndefined();
      expect(await probe.directory.project(text), text).toBeUndefined();
      expect(await probe.directory.projectsOf(text), text).toEqual([]);
      expect(await probe.directory.authenticate(text, PASSWORD), text).toBe(false);
      const refused = { code: 'InvalidParameterValue' };
      const asUser = probe.directory.apply({ kind: 'create-user', user: user(text) });
      await expect(asUser, text).rejects.toMatchObject(refused);
      const asProject = probe.directory.apply({ kind: 'create-project', project: project(text) });
      await expect(asProject, text).rejects.toMatchObject(refused);
      await probe.apply({ kind: 'delete-user', name: text }, { kind: 'delete-project', id: text });
      const modify = probe.directory.apply({ kind: 'modify-user', name: text, enabled: false });
      await expect(modify, text).rejects.toMatchObject({ code: 'InvalidUser.NotFound' });
      const join = probe.directory.apply({ kind: 'add-member', projectId: 'alice', user: text });
      await expect(join, text).rejects.toMatchObject({ code: 'InvalidUser.NotFound' });
    }
    expect(await probe.directory.users()).toEqual([user('alice')]);
    expect(await probe.directory.projects()).toEqual([project('alice')]);
  });

  it('texts with anything in them come back as they went', async () => {
    const displayName = 'D\'Arcy "Ö" (x) * \\ , + < > ; = # é 漢字 🙂';
    await probe.apply({ kind: 'create-user', user: user('alice', { displayName }) });
    expect((await probe.directory.user('alice'))?.displayName).toBe(displayName);
  });
}

function passwordCases(probe: DirectoryProbe): void {
  const asks = (name: string, password: string): Promise<boolean> => probe.directory.authenticate(name, password);

  it('only the right password of the right user is taken', async () => {
    await probe.apply({ kind: 'create-user', user: user('alice'), password: PASSWORD });
    await probe.apply({ kind: 'create-user', user: user('bob'), password: 'another one entirely 3' });
    expect(await asks('alice', PASSWORD)).toBe(true);
    expect(await probe.second.authenticate('alice', PASSWORD)).toBe(true);
    for (const wrong of ['', ' ', `${PASSWORD} `, PASSWORD.toUpperCase(), '*', 'another one entirely 3', '\0']) {
      expect(await asks('alice', wrong), JSON.stringify(wrong)).toBe(false);
    }
    expect(await asks('ghost', PASSWORD)).toBe(false);
  });

  it('who has no password is never let in, whatever is said', async () => {
    await probe.people('alice');
    for (const text of ['', ' ', 'undefined', 'null', '*']) expect(await asks('alice', text), text).toBe(false);
  });

  it('a password is changed and taken away; other changes leave it', async () => {
    const next = 'pässwörd ✓ 漢字 4';
    await probe.apply({ kind: 'create-user', user: user('alice'), password: PASSWORD });
    await probe.apply({ kind: 'modify-user', name: 'alice', email: 'alice@example.org' });
    expect(await asks('alice', PASSWORD)).toBe(true);
    await probe.apply({ kind: 'modify-user', name: 'alice', password: next });
    expect([await asks('alice', PASSWORD), await asks('alice', next)]).toEqual([false, true]);
    await probe.apply({ kind: 'modify-user', name: 'alice', password: '' });
    for (const old of ['', PASSWORD, next]) expect(await asks('alice', old), old).toBe(false);
    await probe.apply({ kind: 'modify-user', name: 'alice', password: '' });
  });

  it('a disabled user is not let in, and is when enabled again', async () => {
    await probe.apply({ kind: 'create-user', user: user('alice', { enabled: false }), password: PASSWORD });
    expect(await asks('alice', PASSWORD)).toBe(false);
    await probe.apply({ kind: 'modify-user', name: 'alice', enabled: true });
    expect(await asks('alice', PASSWORD)).toBe(true);
    await probe.apply({ kind: 'modify-user', name: 'alice', enabled: false });
    expect(await asks('alice', PASSWORD)).toBe(false);
  });

  it('no answer and no error holds a password', async () => {
    await probe.apply({ kind: 'create-user', user: user('alice'), password: PASSWORD });
    const again: unknown = await probe
      .apply({ kind: 'create-user', user: user('alice'), password: PASSWORD })
      .catch((error: unknown) => error);
    const seen = [await probe.directory.user('alice'), await probe.directory.users(), again, String(again)];
    expect(JSON.stringify(seen)).not.toContain(PASSWORD);
    expect(again).toBeInstanceOf(Error);
  });
}
