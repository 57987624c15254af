import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { modifyImageAttribute } from '../../../../src/controller/operations/change-images.ts';
import type { CallMeta } from '../../../../src/controller/operations/handler.ts';
import { Draft } from '../../../../src/controller/state/draft.ts';
import { principalOf } from '../../../../src/controller/users/principal.ts';
import { KEYS, PREFIX } from '../../../../src/domain/keys.ts';
import type { ImageRecord, OperationRecord, ProjectRecord, UserRecord } from '../../../../src/domain/records.ts';
import type { OperationInput, UnaryName } from '../../../../src/messages/operations/index.ts';
import { ADMIN, startSimCloud, type SimCloud } from '../../../support/sim-cloud.ts';

let sim: SimCloud;
beforeEach(async () => {
  sim = await startSimCloud();
});
afterEach(() => sim.close());

const as = async (userName: string, projectId: string): Promise<CallMeta> => ({
  requestId: 'req-test',
  principal: await principalOf(sim.cloud.context, { userName, projectId, from: 'test' }),
});

const refusedWith = async <N extends UnaryName>(code: string, name: N, input: OperationInput<N>, meta?: CallMeta) => {
  const error: unknown = await sim.call(name, input, meta).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error, name).toMatchObject({ code });
  return error as Error & { details: Record<string, unknown> };
};

/** anna manages lab, bob is a member of it. */
async function lab(): Promise<void> {
  for (const UserName of ['anna', 'bob']) await sim.call('CreateUser', { UserName });
  await sim.call('CreateProject', { ProjectId: 'lab', Manager: 'anna', Members: ['bob'], AccountId: '111122223333' });
}

describe('[sim] users', () => {
  it('are made with their projects in one step, and the record holds no password nor its hash', async () => {
    await lab();
    const Password = 'a canary that nobody types';
    const made = await sim.call('CreateUser', { UserName: 'eve', Password, Roles: ['itsec'], Projects: ['lab'] });
    expect(made.user).toMatchObject({ userName: 'eve', enabled: true, roles: ['itsec'], projects: ['lab'] });
    expect(await sim.cloud.context.directory.authenticate('eve', Password)).toBe(true);
    const record = sim.store.get<OperationRecord>(KEYS.operation(made.operationId))?.value;
    expect(record).toMatchObject({ name: 'CreateUser', status: 'succeeded', targets: ['eve', 'lab'] });
    const all = sim.store.range('').map(({ value }) => JSON.stringify(value));
    expect(all.filter((text) => text.includes('canary'))).toEqual([]);
    const other = await sim.call('ModifyUser', { UserName: 'eve', Password: 'another long one' });
    const again = await sim.call('ModifyUser', { UserName: 'eve', Password: 'yet another one' });
    const digestOf = (id: string) => sim.store.get<OperationRecord>(KEYS.operation(id))?.value.inputDigest;
    expect(digestOf(other.operationId)).toBe(digestOf(again.operationId));
  });

  it('whose project is not there are not made at all', async () => {
    await refusedWith('InvalidProject.NotFound', 'CreateUser', { UserName: 'eve', Projects: ['ghost'] });
    expect(sim.store.get(KEYS.user('eve'))).toBeUndefined();
    await refusedWith('InvalidParameterValue', 'CreateUser', { UserName: 'eve', Password: 'short' });
    await refusedWith('InvalidParameterValue', 'CreateUser', { UserName: 'Eve' });
    await refusedWith('InvalidUser.Duplicate', 'CreateUser', { UserName: 'admin' });
  });

  it('of a state of before are as they were', async () => {
    const { users } = await sim.call('DescribeUsers', {});
    expect(users).toMatchObject([{ userName: 'admin', enabled: true, roles: ['cloudadmin'], projects: ['admin'] }]);
    const old = { v: 1, id: 'admin', accountId: '123456789012', createdAtMs: 1 } satisfies ProjectRecord;
    await sim.store.txn({ puts: [{ key: KEYS.project('admin'), value: old }] });
    expect((await sim.call('DescribeProjects', {})).projects).toMatchObject([
      { projectId: 'admin', manager: 'admin', members: ['admin'], roles: {} },
    ]);
  });

  it('with things left stay, and what they have is said', async () => {
    await lab();
    const { accessKey } = await sim.call('CreateAccessKey', { UserName: 'anna', ProjectId: 'lab' });
    const error = await refusedWith('InvalidUser.InUse', 'DeleteUser', { UserName: 'anna' });
    expect(error.details['left']).toEqual({ accessKeys: [accessKey.accessKeyId], manages: ['lab'], memberOf: ['lab'] });
    expect(error.message).toContain('--reassign-to');
    await refusedWith('InvalidUser.InUse', 'DeleteUser', { UserName: 'anna', Purge: true });
    await refusedWith('InvalidUser.NotFound', 'DeleteUser', { UserName: 'anna', ReassignTo: 'ghost' });
    expect(sim.store.get<UserRecord>(KEYS.user('anna'))).toBeDefined();
    const gone = await sim.call('DeleteUser', { UserName: 'anna', ReassignTo: 'bob' });
    expect(gone.deletedAccessKeys).toEqual([accessKey.accessKeyId]);
    expect(sim.store.get(KEYS.accessKey(accessKey.accessKeyId))).toBeUndefined();
    expect(await sim.cloud.context.directory.project('lab')).toMatchObject({ manager: 'bob', members: ['bob'] });
    await refusedWith('OperationNotPermitted', 'DeleteUser', { UserName: 'admin', Purge: true });
  });

  it('can be changed and deleted however many projects there are, with what is known of their keys', async () => {
    await lab();
    const other = (id: string, at: number) => ({ v: 1, id, accountId: `${1e11 + at}`, createdAtMs: 1 });
    const puts = Array.from({ length: 120 }, (_, at) => ({ key: KEYS.project(`p${at}`), value: other(`p${at}`, at) }));
    await sim.store.txn({ puts: puts.slice(0, 60) });
    await sim.store.txn({ puts: puts.slice(60) });
    const { accessKey } = await sim.call('CreateAccessKey', { UserName: 'bob', ProjectId: 'lab' });
    const use = KEYS.accessKeyUse(accessKey.accessKeyId);
    await sim.store.txn({ puts: [{ key: use, value: { v: 1, atMs: 1, edge: 'ec2' } }] });
    await sim.call('ModifyUser', { UserName: 'bob', DisplayName: 'Bob' });
    await sim.call('CreateProject', { ProjectId: 'one-more' });
    await sim.call('DeleteUser', { UserName: 'bob', Purge: true });
    expect(sim.store.get(use)).toBeUndefined();
    expect((await sim.call('DescribeProjects', { ProjectIds: ['lab'] })).projects[0]?.members).toEqual(['anna']);
  });

  it('who is disabled is refused by their next request', async () => {
    await lab();
    expect((await as('bob', 'lab')).principal.roles).toEqual(['member']);
    await sim.call('ModifyUser', { UserName: 'bob', Enabled: false });
    await expect(as('bob', 'lab')).rejects.toMatchObject({ code: 'AuthFailure' });
  });
});

describe('[sim] projects', () => {
  it('have an account id that no other has', async () => {
    await lab();
    const taken = { ProjectId: 'two', AccountId: '111122223333' };
    await refusedWith('InvalidProject.Duplicate', 'CreateProject', taken);
    const many = await Promise.all(
      Array.from({ length: 8 }, (_, index) => sim.call('CreateProject', { ProjectId: `p${index}` })),
    );
    expect(new Set(many.map(({ project }) => project.accountId)).size).toBe(8);
    expect(many.every(({ project }) => /^\d{12}$/.test(project.accountId) && project.manager === 'admin')).toBe(true);
    await sim.call('DeleteProject', { ProjectId: 'lab' });
    expect((await sim.call('CreateProject', taken)).project.accountId).toBe('111122223333');
  });

  it('with things left stay; keys go with them when that is asked for, instances do not', async () => {
    await lab();
    const anna = await as('anna', 'lab');
    await sim.call('ImportKeyPair', { KeyName: 'k', PublicKeyMaterial: PUBLIC_KEY }, anna);
    const { accessKey } = await sim.call('CreateAccessKey', { UserName: 'bob', ProjectId: 'lab' });
    const [instance] = (await sim.run({}, { principal: { ...ADMIN.principal, projectId: 'lab' } })).instances;
    const id = instance?.instanceId ?? '';
    await sim.settled('running');
    const left = { instances: [id], 'key pairs': [expect.any(String)], 'access keys': [accessKey.accessKeyId] };
    const first = await refusedWith('InvalidProject.InUse', 'DeleteProject', { ProjectId: 'lab' });
    expect(first.details['left']).toEqual(left);
    const second = await refusedWith('InvalidProject.InUse', 'DeleteProject', { ProjectId: 'lab', Purge: true });
    expect(second.details['left']).toEqual({ instances: [id] });
    await sim.call('TerminateInstances', { InstanceIds: [id] });
    await sim.settled('terminated', [id]);
    const gone = await sim.call('DeleteProject', { ProjectId: 'lab', Purge: true });
    expect(gone.deleted).toContain(accessKey.accessKeyId);
    const mine = sim.store.range('').filter(({ key }) => /^(project|network|usage|quota|keypair|vpc)\/lab/.test(key));
    expect(mine.map(({ key }) => key)).toEqual([]);
    expect(sim.store.range<{ owner: string }>('subnet/').filter(({ value }) => value.owner === 'lab')).toEqual([]);
    await expect(as('bob', 'lab')).rejects.toMatchObject({ code: 'UnauthorizedOperation' });
    await refusedWith(
      'InvalidProject.NotFound',
      'ImportKeyPair',
      { KeyName: 'l', PublicKeyMaterial: PUBLIC_KEY },
      anna,
    );
  });

  it('with things left in another region stay too, and all of it is looked at there', async () => {
    await lab();
    const { principal } = await as('anna', 'lab');
    const there: CallMeta = { ...ADMIN, principal: { ...principal, projectId: 'lab@east' } };
    const [image] = sim.store.range<Record<string, unknown>>(PREFIX.image);
    if (image !== undefined)
      await sim.store.txn({ puts: [{ key: image.key, value: { ...image.value, public: true } }] });
    await sim.call('ImportKeyPair', { KeyName: 'k', PublicKeyMaterial: PUBLIC_KEY, Tags: { a: 'b' } }, there);
    const id = (await sim.run({}, there)).instances[0]?.instanceId ?? '';
    await sim.settled('running');
    const refused = await refusedWith('InvalidProject.InUse', 'DeleteProject', { ProjectId: 'lab', Purge: true });
    expect(refused.details['left']).toEqual({ instances: [id] });
    await sim.call('TerminateInstances', { InstanceIds: [id] });
    await sim.settled('terminated', [id]);
    await sim.call('DeleteProject', { ProjectId: 'lab', Purge: true });
    const mine = sim.store
      .range('')
      .filter(({ key }) => /^(project|network|usage|quota|keypair|vpc|tags)\/(lab|key)/.test(key));
    expect(mine.map(({ key }) => key)).toEqual([]);
    expect(sim.store.range<{ owner: string }>('subnet/').filter(({ value }) => value.owner === 'lab@east')).toEqual([]);
  });

  it('of many users go, with the limits and usage of each', async () => {
    await lab();
    const shares = Array.from({ length: 130 }, (_, index) => [
      KEYS.usage('lab', `u${index}`),
      KEYS.quota('lab', `u${index}`),
    ]);
    for (let at = 0; at < 130; at += 40) {
      const keys = shares.slice(at, at + 40).flat();
      await sim.store.txn({ puts: keys.map((key) => ({ key, value: { v: 1, used: {}, limits: {} } })) });
    }
    await sim.call('DeleteProject', { ProjectId: 'lab' });
    expect([...sim.store.range(`${PREFIX.usage}lab/`), ...sim.store.range(`${PREFIX.quota}lab/`)]).toEqual([]);
  });

  it('take the tags of their networks with them, which a next one of that name would have', async () => {
    await lab();
    const anna = await as('anna', 'lab');
    const [vpc] = (await sim.call('DescribeVpcs', {}, anna)).vpcs;
    const [subnet] = (await sim.call('DescribeSubnets', {}, anna)).subnets;
    const [table] = (await sim.call('DescribeRouteTables', {}, anna)).routeTables;
    const ids = [vpc?.vpcId ?? '', subnet?.subnetId ?? '', table?.routeTableId ?? ''];
    await sim.call('CreateTags', { ResourceIds: ids, Tags: { owner: 'anna' } }, anna);
    // Of more things than one transaction has room for.
    const rows = Array.from({ length: 70 }, (_, n) => `rtb-${n.toString(16).padStart(17, '0')}`);
    const row = (resourceId: string) => ({ v: 1, resourceId, kind: 'route-table', projectId: 'lab@east', tags: {} });
    await sim.store.txn({ puts: rows.map((id) => ({ key: KEYS.tags(id), value: row(id) })) });
    await sim.store.txn({ puts: [{ key: KEYS.tags('rtb-other'), value: { ...row('x'), projectId: 'labs' } }] });
    await sim.call('DeleteProject', { ProjectId: 'lab' });
    expect(sim.store.range(PREFIX.tags).map(({ key }) => key)).toEqual([KEYS.tags('rtb-other')]);
    await sim.call('CreateProject', { ProjectId: 'lab', Manager: 'anna' });
    expect((await sim.call('DescribeVpcs', {}, anna)).vpcs).toMatchObject([{ vpcId: vpc?.vpcId, tags: {} }]);
  });

  it('leave the lists of whom images are shared with, which a next one of that name would be in', async () => {
    await lab();
    const [image] = sim.store.range<ImageRecord>(PREFIX.image);
    if (image === undefined) expect.fail('there is no image');
    const ImageId = image.value.id;
    const sharedWith = () => sim.store.get<ImageRecord>(image.key)?.value.launchProjects;
    await sim.call('ModifyImageAttribute', { ImageId, AddProjects: ['lab', 'admin', 'lab@east'] });
    await sim.call('DeleteProject', { ProjectId: 'lab' });
    expect(sharedWith()).toEqual(['admin']);
    // Of a process that died when the project was gone and nothing else was.
    await sim.store.txn({ puts: [{ key: image.key, value: { ...image.value, launchProjects: ['lab', 'admin'] } }] });
    await sim.call('CreateProject', { ProjectId: 'lab', Manager: 'anna' });
    expect(sharedWith()).toEqual(['admin']);
    await expect(sim.run({ ImageId }, await as('anna', 'lab'))).rejects.toMatchObject({
      code: 'InvalidAMIID.NotFound',
    });
    // One that goes between the look at the projects and the transaction.
    const share = { ImageId, AddProjects: ['lab'] };
    const { context: cloud } = sim.cloud;
    const context = { cloud, principal: ADMIN.principal, operationId: 'op-1', nowMs: 1, requestId: 'req-test' };
    await modifyImageAttribute.prepare?.(context, share);
    const decide = () => modifyImageAttribute.decide(new Draft(sim.store), share, context, undefined);
    expect(decide().output.image.launchProjects).toEqual(['admin', 'lab']);
    await sim.call('DeleteProject', { ProjectId: 'lab' });
    expect(decide).toThrow('AddProjects: there is no project lab');
  });

  it('take the limits of a member with their membership', async () => {
    await lab();
    await sim.call('SetQuota', { ProjectId: 'lab', UserName: 'bob', Limits: { instances: 1 } });
    await sim.call('SetQuota', { ProjectId: 'lab', UserName: 'anna', Limits: { instances: 2 } });
    await sim.call('RemoveProjectMember', { ProjectId: 'lab', UserName: 'bob' });
    await sim.call('AddProjectMember', { ProjectId: 'lab', UserName: 'bob' });
    expect(sim.store.range(`${PREFIX.quota}lab/`).map(({ key }) => key)).toEqual([KEYS.quota('lab', 'anna')]);
    // Of one who left in a state of before.
    await sim.store.txn({ puts: [{ key: KEYS.quota('other', 'bob'), value: { v: 1, limits: { instances: 9 } } }] });
    await sim.call('DeleteUser', { UserName: 'bob', Purge: true });
    expect(sim.store.range(PREFIX.quota).map(({ key }) => key)).toEqual([KEYS.quota('lab', 'anna')]);
  });

  it('the first one stays', async () => {
    await refusedWith('OperationNotPermitted', 'DeleteProject', { ProjectId: 'admin', Purge: true });
    await refusedWith('InvalidProject.NotFound', 'DeleteProject', { ProjectId: 'ghost' });
  });

  it('nothing is made in one that goes at the same time', async () => {
    await lab();
    const anna = await as('anna', 'lab');
    const made = Array.from({ length: 6 }, (_, index) =>
      sim.call('ImportKeyPair', { KeyName: `k${index}`, PublicKeyMaterial: PUBLIC_KEY }, anna),
    );
    const ended = await Promise.allSettled([...made, sim.call('DeleteProject', { ProjectId: 'lab', Purge: true })]);
    expect(ended.at(-1)?.status).toBe('fulfilled');
    expect(sim.store.range(`${PREFIX.keyPair}lab/`)).toEqual([]);
  });
});

describe('[sim] a manager', () => {
  it('has the members and roles of the own project in hand, and no others', async () => {
    await lab();
    await sim.call('CreateUser', { UserName: 'carol' });
    await sim.call('CreateProject', { ProjectId: 'other' });
    const anna = await as('anna', 'lab');
    await sim.call('AddProjectMember', { UserName: 'carol' }, anna);
    await sim.call('AddRole', { Role: 'developer', UserName: 'carol', ProjectId: 'lab' }, anna);
    expect((await as('carol', 'lab')).principal.roles).toEqual(['developer', 'member']);
    const carol = await as('carol', 'lab');
    await refusedWith('UnauthorizedOperation', 'AddProjectMember', { UserName: 'bob' }, carol);
    await refusedWith('InvalidProject.NotFound', 'AddProjectMember', { UserName: 'bob', ProjectId: 'other' }, anna);
    await refusedWith('UnauthorizedOperation', 'AddRole', { Role: 'developer', UserName: 'anna' }, anna);
    const itsec = { Role: 'itsec', UserName: 'anna', ProjectId: 'lab' } as const;
    await refusedWith('UnauthorizedOperation', 'AddRole', itsec, anna);
    await sim.call('RemoveProjectMember', { UserName: 'carol' }, anna);
    await expect(as('carol', 'lab')).rejects.toMatchObject({ code: 'UnauthorizedOperation' });
    const leave = await refusedWith('InvalidUser.InUse', 'RemoveProjectMember', { UserName: 'anna' }, anna);
    expect(leave.details['projects']).toEqual(['lab']);
  });

  it('sees the people and projects of the own, and no others', async () => {
    await lab();
    await sim.call('CreateUser', { UserName: 'carol', Roles: ['netadmin'] });
    await sim.call('CreateProject', { ProjectId: 'other', Members: ['anna'] });
    await sim.call('CreateProject', { ProjectId: 'third' });
    const anna = await as('anna', 'lab');
    const { users } = await sim.call('DescribeUsers', {}, anna);
    expect(users.map(({ userName, projects }) => [userName, projects])).toEqual([
      ['anna', ['lab']],
      ['bob', ['lab']],
    ]);
    const { projects } = await sim.call('DescribeProjects', {}, anna);
    expect(projects.map(({ projectId }) => projectId)).toEqual(['lab', 'other']);
    await refusedWith('InvalidUser.NotFound', 'DescribeUsers', { UserNames: ['carol'] }, anna);
    await refusedWith('InvalidProject.NotFound', 'DescribeProjects', { ProjectIds: ['third'] }, anna);
    await refusedWith('InvalidUser.NotFound', 'CheckRole', { Role: 'netadmin', UserName: 'carol' }, anna);
    expect((await sim.call('DescribeRoles', {}, anna)).roles).toEqual([]);
    expect((await sim.call('DescribeRoles', {}, ADMIN)).roles).toEqual([
      { userName: 'admin', role: 'cloudadmin' },
      { userName: 'carol', role: 'netadmin' },
    ]);
  });
});

describe('[sim] who one is, and why not', () => {
  it('is told', async () => {
    await lab();
    const bob = await as('bob', 'lab');
    expect(await sim.call('GetCallerIdentity', {}, bob)).toEqual({
      ...{ name: 'bob', userName: 'bob', projectId: 'lab', accountId: '111122223333', standings: ['member'] },
      from: 'test',
    });
    const why = await sim.call('ExplainAccess', { Operation: 'RunInstances' }, bob);
    expect(why).toMatchObject({
      rule: 'use',
      allowed: false,
      passes: ['cloudadmin', 'manager', 'sysadmin', 'developer'],
    });
    expect(why.next.join(' ')).toContain('novactl role add sysadmin bob --project lab');
    await sim.call('AddRole', { Role: 'sysadmin', UserName: 'bob', ProjectId: 'lab' });
    const again = await sim.call('ExplainAccess', { Operation: 'RunInstances', UserName: 'bob', ProjectId: 'lab' });
    expect(again).toMatchObject({ allowed: true, standings: ['sysadmin', 'member'] });
    await refusedWith('UnauthorizedOperation', 'ExplainAccess', { Operation: 'RunInstances', UserName: 'anna' }, bob);
    await sim.call('ModifyUser', { UserName: 'bob', Enabled: false });
    const disabled = await sim.call('ExplainAccess', { Operation: 'RunInstances', UserName: 'bob', ProjectId: 'lab' });
    expect(disabled.allowed).toBe(false);
    expect(disabled.because.join(' ')).toContain('is disabled');
    await refusedWith('InvalidParameterValue', 'ExplainAccess', { Operation: 'RunInstancs' });
  });

  it('a role counts in the project or in the whole cloud', async () => {
    await lab();
    await sim.call('AddRole', { Role: 'netadmin', UserName: 'bob' });
    const check = (Role: 'netadmin' | 'developer') =>
      sim.call('CheckRole', { Role, UserName: 'bob', ProjectId: 'lab' });
    expect(await check('netadmin')).toMatchObject({ has: true, from: 'cloud' });
    expect((await check('developer')).has).toBe(false);
    await refusedWith('MissingParameter', 'CheckRole', { Role: 'developer' });
  });
});

const PUBLIC_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl test';
