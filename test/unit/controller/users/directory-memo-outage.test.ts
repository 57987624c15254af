import { expect, it } from 'vitest';
import { CloudError } from '../../../../src/base/errors.ts';
import { remembered } from '../../../../src/controller/users/directory-memo.ts';
import type { DirectoryUser } from '../../../../src/domain/directory.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

type Context = Parameters<typeof remembered>[0];

/** A directory elsewhere that counts how often it is asked, and the mark of this cloud's own changes. */
function elsewhere() {
  const clock = new ManualClock();
  const state = { asked: 0, down: false, rev: 1, enabled: true };
  const ask = async (name: string): Promise<DirectoryUser> => {
    await Promise.resolve();
    state.asked += 1;
    if (state.down) throw new CloudError('Unavailable', 'down');
    return { name, enabled: state.enabled, roles: [], createdAtMs: 0 };
  };
  const directory = { kind: 'ldap', user: ask, project: async () => undefined };
  const store = { get: () => ({ rev: state.rev }) };
  const context = { clock, directory, store, policy: { directoryCacheMs: 5000 } } as unknown as Context;
  const user = async (name = 'alice'): Promise<DirectoryUser | undefined> =>
    (await remembered(context, { userName: name, projectId: 'p' })).user;
  return { clock, state, user };
}

it('an answer counts for the time that is configured, and many who ask at once ask once', async () => {
  const { clock, state, user } = elsewhere();
  await Promise.all([user(), user(), user()]);
  await clock.advance(5000);
  await user();
  expect(state.asked).toBe(1);
  state.enabled = false;
  await clock.advance(1);
  expect((await user())?.enabled).toBe(false);
  expect(state.asked).toBe(2);
});

it("the cloud's own change is seen at once, and what was before it is not believed in an outage", async () => {
  const { state, user } = elsewhere();
  await user();
  state.enabled = false;
  state.rev = 2;
  expect((await user())?.enabled).toBe(false);
  state.rev = 3;
  state.down = true;
  await expect(user()).rejects.toMatchObject({ code: 'Unavailable' });
});

it('while the directory is down what it said counts for 60 s, and nobody new is let in', async () => {
  const { clock, state, user } = elsewhere();
  await user();
  state.down = true;
  await clock.advance(60_000);
  expect((await user())?.enabled).toBe(true);
  await expect(user('bob')).rejects.toMatchObject({ code: 'Unavailable' });
  await clock.advance(1);
  await expect(user()).rejects.toMatchObject({ code: 'Unavailable' });
  state.down = false;
  expect((await user())?.enabled).toBe(true);
});
