import { expect, it } from 'vitest';
import type { DirectoryChange } from '../../src/ports/directory.ts';
import { type DirectoryProbe, project, sorted } from './directory.ts';

const inUse = (...projects: string[]) => ({ code: 'InvalidUser.InUse', details: { projects } });

/** Projects, their members, managers and roles. */
export function directoryProjectCases(probe: DirectoryProbe): void {
  madeCases(probe);
  memberCases(probe);
  managerCases(probe);
}

function madeCases(probe: DirectoryProbe): void {
  it('a project is read as it was made, at once and by everybody', async () => {
    await probe.people('alice', 'bob', 'carol');
    const full = project('full', {
      description: 'Everything, "quoted" & ünusual',
      members: ['alice', 'bob'],
      roles: { alice: ['netadmin'], bob: ['developer', 'sysadmin'] },
    });
    const plain = project('plain-2.x_y', { accountId: '000000000042', manager: 'bob', members: ['bob'] });
    await probe.apply({ kind: 'create-project', project: full }, { kind: 'create-project', project: plain });
    for (const directory of [probe.directory, probe.second]) {
      expect(sorted(await directory.project('full'))).toEqual(full);
      expect(sorted(await directory.project('plain-2.x_y'))).toEqual(plain);
      const all = (await directory.projects()).toSorted((a, b) => (a.id < b.id ? -1 : 1));
      expect(all.map(sorted)).toEqual([full, plain]);
      expect((await directory.projectsOf('alice')).map(sorted)).toEqual([full]);
      expect((await directory.projectsOf('bob')).map(({ id }) => id).toSorted()).toEqual(['full', 'plain-2.x_y']);
      expect(await directory.projectsOf('carol')).toEqual([]);
      expect(await directory.projectsOf('ghost')).toEqual([]);
      expect(await directory.project('ghost')).toBeUndefined();
    }
  });

  it('its manager is a member, said or not', async () => {
    await probe.people('alice', 'bob');
    await probe.apply({ kind: 'create-project', project: project('p', { members: ['bob'] }) });
    expect(sorted(await probe.directory.project('p'))?.members).toEqual(['alice', 'bob']);
  });

  it('an id and an account are given once', async () => {
    await probe.people('alice', 'bob');
    await probe.apply({ kind: 'create-project', project: project('p') });
    const duplicate = { code: 'InvalidProject.Duplicate' };
    const sameId = project('p', { accountId: '999999999999', manager: 'bob', members: ['bob'] });
    await expect(probe.apply({ kind: 'create-project', project: sameId })).rejects.toMatchObject(duplicate);
    await expect(probe.apply({ kind: 'create-project', project: project('q') })).rejects.toMatchObject(duplicate);
    expect(await probe.directory.projects()).toEqual([project('p')]);
    // What was refused has taken nothing.
    const free = project('q', { accountId: '999999999999' });
    await probe.apply({ kind: 'create-project', project: free });
    expect(await probe.directory.project('q')).toEqual(free);
  });

  it('all whom it names must be there', async () => {
    await probe.people('alice');
    for (const more of [{ manager: 'ghost', members: ['alice'] }, { members: ['alice', 'ghost'] }]) {
      const made = probe.apply({ kind: 'create-project', project: project('p', more) });
      await expect(made).rejects.toMatchObject({
        code: 'InvalidUser.NotFound',
        message: expect.stringContaining('ghost') as string,
      });
    }
    const roleOfStranger = project('p', { roles: { ghost: ['developer'] } });
    const made = probe.apply({ kind: 'create-project', project: roleOfStranger });
    await expect(made).rejects.toMatchObject({ code: 'InvalidUser.NotFound' });
    expect(await probe.directory.projects()).toEqual([]);
  });

  it('its description is changed and taken away', async () => {
    await probe.people('alice');
    await probe.apply({ kind: 'create-project', project: project('p') });
    const describe = (description: string): DirectoryChange => ({ kind: 'modify-project', id: 'p', description });
    await probe.apply(describe('first'), describe('second'), describe('second'));
    expect(await probe.second.project('p')).toEqual(project('p', { description: 'second' }));
    await probe.apply(describe(''), describe(''), { kind: 'modify-project', id: 'p' });
    expect(await probe.second.project('p')).toEqual(project('p'));
  });

  it('a deleted project is gone with its roles, and its id and account are free', async () => {
    await probe.people('alice', 'bob');
    const first = project('p', { members: ['alice', 'bob'], roles: { bob: ['developer'], alice: ['netadmin'] } });
    await probe.apply({ kind: 'create-project', project: first });
    await probe.apply({ kind: 'delete-project', id: 'p' }, { kind: 'delete-project', id: 'p' });
    expect(await probe.second.project('p')).toBeUndefined();
    expect(await probe.second.projectsOf('bob')).toEqual([]);
    await probe.apply({ kind: 'create-project', project: project('p') });
    expect(await probe.second.project('p')).toEqual(project('p'));
  });

  it('a change of a project that is not there says so', async () => {
    await probe.people('alice');
    const unknown: readonly DirectoryChange[] = [
      { kind: 'modify-project', id: 'ghost', description: 'x' },
      { kind: 'add-member', projectId: 'ghost', user: 'alice' },
      { kind: 'remove-member', projectId: 'ghost', user: 'alice' },
      { kind: 'add-role', projectId: 'ghost', user: 'alice', role: 'developer' },
      { kind: 'remove-role', projectId: 'ghost', user: 'alice', role: 'developer' },
    ];
    for (const change of unknown) {
      await expect(probe.apply(change), change.kind).rejects.toMatchObject({
        code: 'InvalidProject.NotFound',
        message: expect.stringContaining('ghost') as string,
      });
    }
  });
}

function memberCases(probe: DirectoryProbe): void {
  const join = (user: string): DirectoryChange => ({ kind: 'add-member', projectId: 'p', user });
  const leave = (user: string): DirectoryChange => ({ kind: 'remove-member', projectId: 'p', user });
  const add = (user: string): DirectoryChange => ({ kind: 'add-role', projectId: 'p', user, role: 'developer' });
  const remove = (user: string): DirectoryChange => ({ kind: 'remove-role', projectId: 'p', user, role: 'developer' });

  it('members come and go, any number of times', async () => {
    await probe.people('alice', 'bob');
    await probe.apply({ kind: 'create-project', project: project('p') }, join('bob'), join('bob'));
    expect(sorted(await probe.second.project('p'))?.members).toEqual(['alice', 'bob']);
    expect((await probe.second.projectsOf('bob')).map(({ id }) => id)).toEqual(['p']);
    await probe.apply(leave('bob'), leave('bob'));
    expect(await probe.second.project('p')).toEqual(project('p'));
    expect(await probe.second.projectsOf('bob')).toEqual([]);
  });

  it('roles in a project are those of its members alone', async () => {
    await probe.people('alice', 'bob', 'carol');
    await probe.apply({ kind: 'create-project', project: project('p', { members: ['alice', 'bob'] }) });
    await expect(probe.apply(add('carol'))).rejects.toMatchObject({ code: 'InvalidUser.NotFound' });
    await probe.apply(add('bob'), add('bob'), add('alice'));
    await probe.apply({ kind: 'add-role', projectId: 'p', user: 'bob', role: 'itsec' });
    expect(sorted(await probe.second.project('p'))?.roles).toEqual({
      alice: ['developer'],
      bob: ['developer', 'itsec'],
    });
    expect((await probe.second.user('bob'))?.roles).toEqual([]);
    await probe.apply(remove('bob'), remove('bob'), remove('alice'));
    expect((await probe.second.project('p'))?.roles).toEqual({ bob: ['itsec'] });
  });

  it('who leaves loses the roles there, and does not find them again', async () => {
    await probe.people('alice', 'bob');
    await probe.apply({ kind: 'create-project', project: project('p') }, join('bob'), add('bob'), leave('bob'));
    expect(await probe.second.project('p')).toEqual(project('p'));
    await probe.apply(join('bob'));
    expect(await probe.second.project('p')).toMatchObject({ roles: {} });
  });

  it('a name that nobody has is told, to add and to remove', async () => {
    await probe.people('alice');
    await probe.apply({ kind: 'create-project', project: project('p') });
    for (const change of [join('ghost'), leave('ghost'), add('ghost'), remove('ghost')]) {
      await expect(probe.apply(change), change.kind).rejects.toMatchObject({
        code: 'InvalidUser.NotFound',
        message: expect.stringContaining('ghost') as string,
      });
    }
  });
}

function managerCases(probe: DirectoryProbe): void {
  it('the manager neither leaves nor is deleted', async () => {
    await probe.people('alice', 'bob');
    await probe.apply({ kind: 'create-project', project: project('p', { members: ['alice', 'bob'] }) });
    await probe.apply({ kind: 'create-project', project: project('q', { accountId: '123456789013' }) });
    const leave = probe.apply({ kind: 'remove-member', projectId: 'p', user: 'alice' });
    await expect(leave).rejects.toMatchObject(inUse('p'));
    const gone: unknown = await probe.apply({ kind: 'delete-user', name: 'alice' }).catch((error: unknown) => error);
    expect(gone).toMatchObject({ code: 'InvalidUser.InUse' });
    expect((gone as { details: { projects: string[] } }).details.projects.toSorted()).toEqual(['p', 'q']);
    expect(await probe.directory.user('alice')).toBeDefined();
    expect(sorted(await probe.directory.project('p'))).toEqual(project('p', { members: ['alice', 'bob'] }));
  });

  it('another manager is made a member, and the former one stays and may then go', async () => {
    await probe.people('alice', 'bob');
    await probe.apply({ kind: 'create-project', project: project('p') });
    const hand = { kind: 'modify-project', id: 'p', manager: 'bob' } as const;
    await probe.apply(hand, hand);
    expect(sorted(await probe.second.project('p'))).toEqual(
      project('p', { manager: 'bob', members: ['alice', 'bob'] }),
    );
    const leave = probe.apply({ kind: 'remove-member', projectId: 'p', user: 'bob' });
    await expect(leave).rejects.toMatchObject(inUse('p'));
    await probe.apply({ kind: 'remove-member', projectId: 'p', user: 'alice' }, { kind: 'delete-user', name: 'alice' });
    expect(await probe.second.project('p')).toEqual(project('p', { manager: 'bob', members: ['bob'] }));
  });

  it('a manager must be somebody', async () => {
    await probe.people('alice');
    await probe.apply({ kind: 'create-project', project: project('p') });
    const hand = probe.apply({ kind: 'modify-project', id: 'p', manager: 'ghost', description: 'x' });
    await expect(hand).rejects.toMatchObject({ code: 'InvalidUser.NotFound' });
    expect(await probe.second.project('p')).toEqual(project('p'));
  });
}
