import { expect, it } from 'vitest';
import { createAccessKey } from '../../../../src/controller/operations/access-keys.ts';
import { deleteUser } from '../../../../src/controller/operations/users.ts';
import { transact } from '../../../../src/controller/state/draft.ts';
import { KEYS } from '../../../../src/domain/keys.ts';
import { ADMIN, startSimCloud } from '../../../support/sim-cloud.ts';

it('[sim] with users elsewhere no key outlives its user, whichever of the two comes first', async () => {
  const sim = await startSimCloud();
  await sim.call('CreateUser', { UserName: 'anna', Projects: ['admin'] });
  const { context } = sim.cloud;
  const { directory, store } = context;
  const gone: string[] = [];
  const elsewhere = {
    ...{ kind: 'ldap' as const, user: directory.user.bind(directory), users: directory.users.bind(directory) },
    ...{ project: directory.project.bind(directory), projects: directory.projects.bind(directory) },
    ...{ projectsOf: directory.projectsOf.bind(directory), authenticate: directory.authenticate.bind(directory) },
    apply: async ({ kind }: { kind: string }) => void (await Promise.resolve(gone.push(kind))),
    close: async () => undefined,
  };
  const cloud = Object.create(context, { directory: { value: elsewhere } }) as typeof context;
  const at = { cloud, principal: ADMIN.principal, nowMs: sim.clock.nowMs() };
  const asked = { UserName: 'anna', ProjectId: 'admin' };
  const [early, late] = [await createAccessKey.prepare?.(at, asked), await createAccessKey.prepare?.(at, asked)];
  const deletion = { UserName: 'anna', Purge: true };
  const deleting = await deleteUser.prepare?.(at, deletion);
  if (early === undefined || late === undefined || deleting === undefined) throw new Error('nothing is prepared');
  const made = await transact(store, (draft) =>
    createAccessKey.decide(draft, asked, { ...at, operationId: 'op-1' }, early),
  );
  const keyId = made.result.output.accessKey.accessKeyId;
  expect(store.get(KEYS.accessKey(keyId))).toBeDefined();
  await transact(store, (draft) => deleteUser.decide(draft, deletion, { ...at, operationId: 'op-2' }, deleting));
  expect(gone).toEqual(['delete-user']);
  expect(store.get(KEYS.accessKey(keyId))).toBeUndefined();
  const tooLate = transact(store, (draft) =>
    createAccessKey.decide(draft, asked, { ...at, operationId: 'op-3' }, late),
  );
  await expect(tooLate).rejects.toMatchObject({ code: 'Conflict' });
  await sim.close();
});
