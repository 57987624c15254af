import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { KEYS, PREFIX } from '../../../src/domain/keys.ts';
import type { OperationRecord } from '../../../src/domain/records.ts';
import { OPERATIONS } from '../../../src/messages/operations/index.ts';
import type { SimCloud } from '../../support/sim-cloud.ts';
import { startSimCloud, STRANGER } from '../../support/sim-cloud.ts';
import { until } from '../../support/until.ts';

let sim: SimCloud;
beforeAll(async () => {
  sim = await startSimCloud();
});
afterAll(() => sim.close());

const raw = (name: string, input: unknown, meta: Parameters<SimCloud['call']>[2] = {}): Promise<unknown> =>
  sim.call(name as 'DescribeHosts', input as never, meta);
const operation = (id: string): OperationRecord | undefined =>
  sim.store.get<OperationRecord>(KEYS.operation(id))?.value;
/** The call changes nothing at all. */
async function unchanged(call: () => Promise<unknown>): Promise<unknown> {
  await until(() => sim.records().every((record) => record.work === undefined), { what: 'nothing is under way' });
  const before = sim.store.rev;
  const error: unknown = await call().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(sim.store.rev).toBe(before);
  return error;
}

describe('what a call may say', () => {
  it('[sim] every bad parameter is named at once', async () => {
    const input = {
      ImageId: '',
      InstanceType: 7,
      MinCount: 0,
      MaxCount: 101,
      KeyName: 'a/b',
      Colour: 'red',
      UserData: '!',
    };
    const error = await unchanged(() => raw('RunInstances', input));
    expect(error).toMatchObject({ code: 'InvalidParameterValue' });
    const { issues } = (error as { details: { issues: { parameter: string }[] } }).details;
    expect(issues.map((issue) => issue.parameter).sort()).toEqual(
      ['Colour', 'ImageId', 'InstanceType', 'KeyName', 'MaxCount', 'MinCount', 'UserData'].sort(),
    );
    for (const { parameter } of issues) expect((error as Error).message).toContain(parameter);
  });

  it.each([
    ['RunInstances', {}, 'MissingParameter', 'ImageId: is needed'],
    ['RunInstances', undefined, 'MissingParameter', 'ImageId: is needed'],
    ['RunInstances', { ImageId: 'still', Color: 1 }, 'UnknownParameter', 'Color: no such parameter'],
    ['RunInstances', [], 'InvalidParameterValue', 'input: '],
    ['RunInstances', 'still', 'InvalidParameterValue', 'input: '],
    ['RunInstances', { ImageId: 'still', MaxCount: 1.5 }, 'InvalidParameterValue', 'MaxCount: '],
    [
      'RunInstances',
      { ImageId: 'still', MinCount: 2 },
      'InvalidParameterCombination',
      'MinCount: 2 is more than MaxCount 1',
    ],
    ['RunInstances', { ImageId: 'nothing' }, 'InvalidAMIID.NotFound', 'there is no image nothing'],
    ['RunInstances', { ImageId: 'still', InstanceType: 'm9.huge' }, 'InvalidInstanceType.NotFound', 'm9.huge'],
    ['RunInstances', { ImageId: 'still', KeyName: 'mine' }, 'InvalidKeyPair.NotFound', 'there is no key pair mine'],
    ['StopInstances', { InstanceIds: ['i-1'] }, 'InvalidParameterValue', 'must look like i-0123456789abcdef0'],
    ['StopInstances', { InstanceIds: [] }, 'InvalidParameterValue', 'at least one'],
    ['StopInstances', { InstanceIds: ['i-0123456789abcdef0'] }, 'InvalidInstanceID.NotFound', 'i-0123456789abcdef0'],
    ['CreateKeyPair', { KeyName: '../x' }, 'InvalidParameterValue', 'KeyName: must be 1 to 255 printable'],
    [
      'ImportKeyPair',
      { KeyName: 'k', PublicKeyMaterial: 'ssh-dss AAAA' },
      'InvalidKey.Format',
      'PublicKeyMaterial: must be one',
    ],
    ['AddHost', { Name: 'UPPER', Transport: { kind: 'local' } }, 'InvalidParameterValue', 'Name: must be a host name'],
    ['AddHost', { Name: 'n', Transport: { kind: 'pigeon' } }, 'InvalidParameterValue', 'Transport.kind: '],
    ['AddHost', { Name: 'n', Transport: { kind: 'ssh' } }, 'MissingParameter', 'Transport.host: is needed'],
    ['RemoveHost', { Host: 'nobody' }, 'InvalidHost.NotFound', 'there is no host nobody'],
    ['__proto__', {}, 'InvalidAction', '"__proto__"'],
    ['toString', {}, 'InvalidAction', '"toString"'],
    ['FlyToTheMoon', {}, 'InvalidAction', '"FlyToTheMoon"'],
  ])('[sim] %s %j is refused and changes nothing', async (name, input, code, text) => {
    const error = await unchanged(() => raw(name, input));
    expect(error).toMatchObject({ code });
    expect((error as Error).message).toContain(text);
  });
});

/** The least that each operation must be given before it asks who calls. */
const WANTED: Readonly<Record<string, object>> = {
  AddHost: { Name: 'n', Transport: { kind: 'local' } },
  RemoveHost: { Host: 'node1' },
  CheckHost: { Host: 'node1' },
  GetHostKey: { Host: 'node1' },
  SetHostKey: { Host: 'node1', Fingerprint: `SHA256:${'A'.repeat(43)}` },
  SetHostState: { Host: 'node1', State: 'up' },
  SetQuota: { Limits: { instances: 1 } },
  CreateProject: { ProjectId: 'lab' },
  CreateUser: { UserName: 'anna' },
  DeleteProject: { ProjectId: 'lab' },
  DeleteUser: { UserName: 'anna' },
  ExplainPlacement: { InstanceType: 'm1.nano' },
  ModifyUser: { UserName: 'anna' },
  PlanInstances: { ImageId: 'still' },
  DeleteAccessKey: { AccessKeyId: 'AKIAAAAAAAAAAAAAAAAA' },
  EvictImageCache: { All: true },
  EnableService: { Service: 'node1' },
  DisableService: { Service: 'node1' },
  DrainService: { Service: 'node1' },
  WarmImageCache: { ImageId: 'still' },
  StartMaintenance: { Job: 'verify' },
  PlanMaintenance: { Job: 'verify' },
};

describe('who may call', () => {
  it.each(Object.values(OPERATIONS).filter((one) => one.access === 'cloudadmin' && one.kind === 'unary'))(
    '[sim] $name needs the administrator',
    async ({ name, changes }) => {
      const error = await unchanged(() => raw(name, WANTED[name] ?? {}, STRANGER));
      expect(error).toMatchObject({ code: 'UnauthorizedOperation' });
      expect([true, false]).toContain(changes);
    },
  );

  it("[sim] another project's instance is not there, for who may not see it", async () => {
    const { instances } = await sim.run();
    const id = instances[0]?.instanceId ?? '';
    for (const name of ['StopInstances', 'TerminateInstances', 'DescribeInstances'] as const) {
      await expect(sim.call(name, { InstanceIds: [id] }, STRANGER)).rejects.toMatchObject({
        code: 'InvalidInstanceID.NotFound',
      });
    }
    expect((await sim.call('DescribeInstances', {}, STRANGER)).instances).toEqual([]);
    const theirs = await sim.call('ImportKeyPair', await importKey('theirs'), STRANGER);
    expect((await sim.call('DescribeOperations', {}, STRANGER)).operations.map((row) => row.operationId)).toEqual([
      theirs.operationId,
    ]);
  });

  it('[sim] DryRun says what would have been, after parameters and access, and changes nothing', async () => {
    const dry = { dryRun: true };
    expect(await unchanged(() => sim.run({}, dry))).toMatchObject({ code: 'DryRunOperation' });
    expect(await unchanged(() => sim.run({ MaxCount: 0 }, dry))).toMatchObject({ code: 'InvalidParameterValue' });
    const removal = (): Promise<unknown> => sim.call('RemoveHost', { Host: 'node1' }, { ...STRANGER, ...dry });
    expect(await unchanged(removal)).toMatchObject({ code: 'UnauthorizedOperation' });
  });
});

async function importKey(name: string): Promise<{ KeyName: string; PublicKeyMaterial: string }> {
  const { keyPair } = await sim.call('CreateKeyPair', { KeyName: `source-of-${name}` });
  return { KeyName: name, PublicKeyMaterial: keyPair.publicKey };
}

describe('a ClientToken', () => {
  it('[sim] gives the same call the same answer and no second effect', async () => {
    const first = await sim.run({ ClientToken: 'token-1', MaxCount: 3 });
    const count = sim.store.count(PREFIX.instance);
    const again = await sim.run({ MaxCount: 3 }, { clientToken: 'token-1' });
    expect([again.reservationId, again.operationId]).toEqual([first.reservationId, first.operationId]);
    expect(again.instances.map((row) => row.instanceId)).toEqual(first.instances.map((row) => row.instanceId));
    expect(sim.store.count(PREFIX.instance)).toBe(count);
  });

  it('[sim] makes one of 20 calls at once, and all get its answer in full', async () => {
    const count = sim.store.count(PREFIX.instance);
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => sim.run({ ClientToken: 'token-2', MinCount: 25, MaxCount: 25 })),
    );
    const ids = answers.map((answer) => answer.instances.map((row) => row.instanceId).join());
    expect(new Set(ids).size).toBe(1);
    expect(answers[0]?.instances).toHaveLength(25);
    expect(sim.store.count(PREFIX.instance)).toBe(count + 25);
  });

  it('[sim] is refused with other parameters, and is free in another project and for another action', async () => {
    const error = await unchanged(() => sim.run({ ClientToken: 'token-1', MaxCount: 2 }));
    expect(error).toMatchObject({ code: 'IdempotentParameterMismatch' });
    const key = await importKey('token-key');
    const { keyPair } = await sim.call('ImportKeyPair', key, { clientToken: 'token-1' });
    const theirs = await sim.call('ImportKeyPair', key, { ...STRANGER, clientToken: 'token-1' });
    expect(theirs.keyPair.keyPairId).not.toBe(keyPair.keyPairId);
  });

  it('[sim] does not say a secret twice, and nothing stored holds it', async () => {
    const meta = { clientToken: 'token-3' };
    const made = await sim.call('CreateKeyPair', { KeyName: 'secret-key' }, meta);
    expect(made.keyMaterial).toContain('PRIVATE KEY');
    const error = await unchanged(() => sim.call('CreateKeyPair', { KeyName: 'secret-key' }, meta));
    expect(error).toMatchObject({ code: 'AlreadyExists' });
    expect((error as Error).message).toContain(made.operationId);
    const line = made.keyMaterial.split('\n')[2] ?? '';
    expect(JSON.stringify(sim.store.range(''))).not.toContain(line);
  });

  it.each(['', 'two words', 'ü', 'x'.repeat(65)])(
    '[sim] that is %j is refused, beside the input too',
    async (token) => {
      const error = await unchanged(() => sim.run({}, { clientToken: token }));
      expect(error).toMatchObject({ code: 'InvalidParameterValue', details: { parameter: 'ClientToken' } });
    },
  );

  it('[sim] of a refused call is still free', async () => {
    const meta = { clientToken: 'token-4' };
    await expect(sim.run({ ImageId: 'nothing' }, meta)).rejects.toMatchObject({ code: 'InvalidAMIID.NotFound' });
    expect((await sim.run({}, meta)).instances).toHaveLength(1);
  });
});

describe('the operation record', () => {
  it('[sim] is written with the change, in one transaction', async () => {
    await until(() => sim.records().every((record) => record.work === undefined), { what: 'nothing is under way' });
    const changes: string[][] = [];
    const watch = sim.store.watch('', sim.store.rev + 1, (change) => changes.push(change.ops.map((op) => op.key)));
    const { operationId, keyPair } = await sim.call(
      'CreateKeyPair',
      { KeyName: 'audited' },
      { reason: 'because', clientToken: 'once' },
    );
    watch.close();
    expect(changes).toHaveLength(1);
    const keys = [
      KEYS.keyPair('admin', 'audited'),
      KEYS.operation(operationId),
      KEYS.token('admin', 'CreateKeyPair', 'once'),
      KEYS.usage('admin'),
    ];
    expect(changes[0]?.sort()).toEqual(keys.sort());
    expect(operation(operationId)).toMatchObject({
      ...{ name: 'CreateKeyPair', status: 'succeeded', principal: 'admin', projectId: 'admin', from: 'test' },
      ...{ reason: 'because', targets: [keyPair.keyPairId], pending: [] },
    });
  });

  it('[sim] is one for a call without a token that the bus delivers twice', async () => {
    const lossy = await startSimCloud({ faults: { double: 1, applies: ({ type }) => type === 'operation' } });
    const { instances } = await lossy.run();
    await lossy.settled('running');
    expect(lossy.records().map(({ id }) => id)).toEqual(instances.map(({ instanceId }) => instanceId));
    await lossy.close();
  });

  it('[sim] of a longer work ends when the last target is done', async () => {
    const { operationId, instances } = await sim.run({ MinCount: 12, MaxCount: 12 });
    expect(operation(operationId)).toMatchObject({ status: 'running' });
    await sim.settled(
      'running',
      instances.map((row) => row.instanceId),
    );
    const record = operation(operationId);
    expect(record).toMatchObject({ status: 'succeeded', pending: [] });
    expect(new Set(record?.steps.map((step) => step.target)).size).toBe(12);
  });

  it('[sim] says by what it was superseded', async () => {
    sim.world.host('node1').calls.inject({ call: 'start', how: 'fail', times: 100 });
    const { operationId, instances } = await sim.run();
    const ids = instances.map((row) => row.instanceId);
    const ending = await sim.call('TerminateInstances', { InstanceIds: ids });
    expect(operation(operationId)).toMatchObject({
      ...{ status: 'failed', pending: [] },
      error: { code: 'IncorrectState', message: `superseded by ${ending.operationId}` },
    });
    await sim.settled('terminated', ids);
    expect(operation(ending.operationId)).toMatchObject({ status: 'succeeded' });
    sim.world.host('node1').calls.clearFaults();
  });

  it('[sim] of a stop that the guest does not obey is superseded by a forced one, at once and only once', async () => {
    const { instances } = await sim.run();
    const ids = instances.map((row) => row.instanceId);
    const [id = ''] = ids;
    await sim.settled('running', ids);
    sim.world.host('node1').setGuest(id, { obeysAcpi: false });
    const soft = await sim.call('StopInstances', { InstanceIds: ids });
    const again = await sim.call('StopInstances', { InstanceIds: ids });
    expect(again.instances).toEqual([{ instanceId: id, previousState: 'stopping', currentState: 'stopping' }]);
    const forced = await sim.call('StopInstances', { InstanceIds: ids, Force: true });
    await sim.settled('stopped', ids);
    expect(operation(soft.operationId)).toMatchObject({
      status: 'failed',
      error: { message: `superseded by ${forced.operationId}` },
    });
    expect(operation(forced.operationId)).toMatchObject({ status: 'succeeded' });
  });

  it('[sim] of a refused call is not written', async () => {
    const before = sim.store.count(PREFIX.operation);
    await expect(sim.run({ ImageId: 'nothing' })).rejects.toThrow();
    expect(sim.store.count(PREFIX.operation)).toBe(before);
  });
});
