import { expect, it } from 'vitest';
import { ROLE_NAMES } from '../../src/domain/access-rules.ts';
import type { Directory, DirectoryChange } from '../../src/ports/directory.ts';
import { type DirectoryProbe, project, sorted, user } from './directory.ts';

const COUNT = 8;
const numbers = Array.from({ length: COUNT }, (_, index) => index);

/** What became of changes that were asked for at once, by two processes in turn: `won`, or the code of the error. */
async function atOnce(probe: DirectoryProbe, changes: readonly DirectoryChange[]): Promise<string[]> {
  const by = (index: number): Directory => (index % 2 === 0 ? probe.directory : probe.second);
  const ended = await Promise.allSettled(changes.map((change, index) => by(index).apply(change)));
  return ended.map((end) => (end.status === 'fulfilled' ? 'won' : String((end.reason as { code?: unknown }).code)));
}

const oneWon = (code: string): string[] => ['won', ...numbers.slice(1).map(() => code)].toSorted();

/** Changes of several processes at the same time. */
export function directoryRaceCases(probe: DirectoryProbe): void {
  it('one of many makes a user, and its password is the one that counts', async () => {
    const passwordOf = (index: number): string => `a fine long password ${index}`;
    const all = await atOnce(
      probe,
      numbers.map((index) => ({
        ...{ kind: 'create-user', user: user('alice', { email: `${index}@example.org` }), password: passwordOf(index) },
      })),
    );
    expect(all.toSorted()).toEqual(oneWon('InvalidUser.Duplicate').toSorted());
    const winner = all.indexOf('won');
    expect(await probe.directory.user('alice')).toEqual(user('alice', { email: `${winner}@example.org` }));
    for (const index of numbers) {
      expect(await probe.directory.authenticate('alice', passwordOf(index)), String(index)).toBe(index === winner);
    }
  });

  it('one of many makes a project', async () => {
    await probe.people('alice');
    const made = numbers.map((index) => project('p', { accountId: `12345678900${index}` }));
    const all = await atOnce(
      probe,
      made.map((each) => ({ kind: 'create-project', project: each })),
    );
    expect(all.toSorted()).toEqual(oneWon('InvalidProject.Duplicate').toSorted());
    expect(await probe.directory.projects()).toEqual([made[all.indexOf('won')]]);
  });

  it('one of many projects gets an account', async () => {
    await probe.people('alice');
    const all = await atOnce(
      probe,
      numbers.map((index) => ({ kind: 'create-project', project: project(`p${index}`) })),
    );
    expect(all.toSorted()).toEqual(oneWon('InvalidProject.Duplicate').toSorted());
    expect(await probe.directory.projects()).toEqual([project(`p${all.indexOf('won')}`)]);
  });

  it('changes of one project and of one user are all kept', async () => {
    const names = numbers.map((index) => `user${index}`);
    await probe.people('alice', ...names);
    await probe.apply({ kind: 'create-project', project: project('p') });
    const joined = await atOnce(
      probe,
      names.map((name) => ({ kind: 'add-member', projectId: 'p', user: name })),
    );
    expect(joined).toEqual(names.map(() => 'won'));
    const roles = await atOnce(
      probe,
      names.map((name) => ({ kind: 'add-role', projectId: 'p', user: name, role: 'developer' })),
    );
    expect(roles).toEqual(names.map(() => 'won'));
    const global = await atOnce(
      probe,
      ROLE_NAMES.map((role) => ({ kind: 'add-role', user: 'alice', role })),
    );
    expect(global).toEqual(ROLE_NAMES.map(() => 'won'));
    expect(sorted(await probe.second.project('p'))).toEqual(
      project('p', {
        members: ['alice', ...names],
        roles: Object.fromEntries(names.map((name) => [name, ['developer']])),
      }),
    );
    expect((await probe.second.user('alice'))?.roles.toSorted()).toEqual([...ROLE_NAMES].toSorted());
  });

  it('all but the manager leave at once, with their roles', async () => {
    const names = numbers.map((index) => `user${index}`);
    await probe.people('alice', ...names);
    const roles = Object.fromEntries(names.map((name) => [name, ['developer'] as const]));
    await probe.apply({ kind: 'create-project', project: project('p', { members: ['alice', ...names], roles }) });
    const left = await atOnce(
      probe,
      names.map((name) => ({ kind: 'remove-member', projectId: 'p', user: name })),
    );
    expect(left).toEqual(names.map(() => 'won'));
    expect(await probe.second.project('p')).toEqual(project('p'));
  });

  it('a member who becomes the manager while leaving is never a manager who is no member', async () => {
    await probe.people('alice', 'bob');
    await probe.apply({ kind: 'create-project', project: project('p', { members: ['alice', 'bob'] }) });
    for (const _ of numbers) {
      await atOnce(probe, [
        { kind: 'modify-project', id: 'p', manager: 'bob' },
        { kind: 'remove-member', projectId: 'p', user: 'bob' },
      ]);
      const now = await probe.directory.project('p');
      expect(now?.members).toContain(now?.manager);
      await probe.apply(
        { kind: 'add-member', projectId: 'p', user: 'bob' },
        { kind: 'modify-project', id: 'p', manager: 'alice' },
      );
    }
  });
}
