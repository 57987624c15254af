import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signRequest } from '../../../src/base/signature/sign-request.ts';
import { type Answer, HttpsCloud } from '../../support/https-cloud.ts';

let cloud: HttpsCloud;
let bob: { accessKeyId: string; secretAccessKey: string };

beforeAll(async () => {
  cloud = await HttpsCloud.start();
  const { sim } = cloud;
  for (const UserName of ['anna', 'bob']) await sim.call('CreateUser', { UserName });
  await sim.call('CreateProject', { ProjectId: 'lab', Manager: 'anna', Members: ['bob'] });
  await sim.call('CreateProject', { ProjectId: 'other', Manager: 'anna' });
  const made = await sim.call('CreateAccessKey', { UserName: 'bob', ProjectId: 'lab' });
  bob = { accessKeyId: made.accessKey.accessKeyId, secretAccessKey: made.secretAccessKey };
});
afterAll(() => cloud.close());

/** Signed by bob's key, or by the first one of admin. */
function ask(operation: string, input: object, more: { key?: typeof bob; project?: string } = {}): Promise<Answer> {
  const body = JSON.stringify(input);
  const path = `/v1/${operation}`;
  const project = more.project === undefined ? {} : { 'x-novactl-project': more.project };
  const headers = signRequest(
    {
      ...{ method: 'POST', target: path, region: 'nova', service: 'novactl', nowMs: cloud.sim.clock.nowMs() },
      headers: { host: cloud.authority, 'content-type': 'application/json', ...project },
      body: Buffer.from(body),
    },
    more.key ?? bob,
  );
  return cloud.send(path, headers, body);
}

const PUBLIC_KEY = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  .publicKey.export({ type: 'spki', format: 'pem' })
  .toString();

const codeOf = ({ status, body }: Answer): [number, string | undefined] => [status, body.error?.code];
const admin = { UserName: 'bob', ProjectId: 'lab', Role: 'developer' } as const;

describe('[sim] a key of a user', () => {
  it('is the user in the project of the key, with the standings there', async () => {
    const { status, body } = await ask('GetCallerIdentity', {});
    expect(status).toBe(200);
    expect(body).toMatchObject({ userName: 'bob', projectId: 'lab', standings: ['member'], ...keyOf() });
    expect(codeOf(await ask('DescribeHosts', {}))).toEqual([403, 'UnauthorizedOperation']);
    expect((await ask('DescribeInstances', {})).body['instances']).toEqual([]);
  });

  const keyOf = () => ({ accessKeyId: bob.accessKeyId });
  const keyPair = { KeyName: 'k', KeyType: 'ed25519' };

  it('has a role at the next request, and has lost it at the next', async () => {
    expect(codeOf(await ask('CreateKeyPair', keyPair))).toEqual([403, 'UnauthorizedOperation']);
    await cloud.sim.call('AddRole', admin);
    expect((await ask('CreateKeyPair', keyPair)).status).toBe(200);
    await cloud.sim.call('RemoveRole', admin);
    expect(codeOf(await ask('DeleteKeyPair', { KeyName: 'k' }))).toEqual([403, 'UnauthorizedOperation']);
  });

  it('lets nobody in who is disabled, or no member any more', async () => {
    await cloud.sim.call('ModifyUser', { UserName: 'bob', Enabled: false });
    expect(codeOf(await ask('GetCallerIdentity', {}))).toEqual([401, 'AuthFailure']);
    await cloud.sim.call('ModifyUser', { UserName: 'bob', Enabled: true });
    await cloud.sim.call('RemoveProjectMember', { UserName: 'bob', ProjectId: 'lab' });
    expect(codeOf(await ask('GetCallerIdentity', {}))).toEqual([403, 'UnauthorizedOperation']);
    await cloud.sim.call('AddProjectMember', { UserName: 'bob', ProjectId: 'lab' });
    expect((await ask('GetCallerIdentity', {})).status).toBe(200);
  });

  it('works in another project only where the user is a member', async () => {
    expect(codeOf(await ask('GetCallerIdentity', {}, { project: 'other' }))).toEqual([403, 'UnauthorizedOperation']);
    expect(codeOf(await ask('GetCallerIdentity', {}, { project: '../lab' }))).toEqual([400, 'InvalidParameterValue']);
    const { body } = await ask('GetCallerIdentity', {}, { key: cloud.key, project: 'other' });
    expect(body).toMatchObject({ userName: 'admin', projectId: 'other', standings: ['cloudadmin'] });
  });

  it('can not tell projects of others from those that are not there', async () => {
    const asks: readonly ((name: string) => Promise<Answer>)[] = [
      (name) => ask('GetCallerIdentity', {}, { project: name }),
      (name) => ask('CreateAccessKey', { ProjectId: name }),
      (name) => ask('CreateUserCertificate', { ProjectId: name, PublicKey: PUBLIC_KEY }),
      (name) => ask('DescribeQuotas', { ProjectId: name }),
      (name) => ask('DescribeProjects', { ProjectIds: [name] }),
      (name) => ask('ExplainAccess', { Operation: 'RunInstances', ProjectId: name }),
      (name) => ask('ExplainAccess', { Operation: 'RunInstances', ProjectId: name, UserName: 'anna' }),
      (name) => ask('DescribeAccessKeys', { ProjectId: name }),
      (name) => ask('DescribeRoles', { ProjectId: name }),
    ];
    for (const one of asks) {
      const [known, unknown] = await Promise.all(
        ['other', 'ghost'].map(async (name) => {
          const { status, body } = await one(name);
          const text = JSON.stringify({ status, ...body, requestId: '' }).replaceAll(/"rev":\d+/g, '');
          return text.replaceAll(name, 'NAME');
        }),
      );
      expect(known).toBe(unknown);
      expect(known).not.toContain('InvalidAction');
    }
  });

  it('sends no bytes where it may register no image', async () => {
    const path = '/v1/blobs';
    const before = await cloud.uploads();
    const headers = signRequest(
      {
        ...{ method: 'PUT', target: path, region: 'nova', service: 'novactl', nowMs: cloud.sim.clock.nowMs() },
        headers: { host: cloud.authority, 'content-type': 'application/octet-stream' },
        body: Buffer.from('bytes'),
      },
      bob,
    );
    expect(codeOf(await cloud.send(path, headers, 'bytes', 'PUT'))).toEqual([403, 'UnauthorizedOperation']);
    expect(await cloud.uploads()).toBe(before);
  });
});
