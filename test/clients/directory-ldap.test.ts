import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLdapDirectory } from '../../src/adapters/directory/ldap-directory.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { signRequest, type AccessKey } from '../../src/base/signature/sign-request.ts';
import { xmlText } from '../../src/base/xml.ts';
import { formOf, replyOf, type Ec2Reply } from '../support/ec2-cloud.ts';
import { freePorts } from '../support/free-ports.ts';
import { PrivateSlapd, slapdMissing } from '../support/private-slapd.ts';
import { TestCloud } from '../support/test-cloud.ts';

const absent = slapdMissing();
const ACCOUNT = '111122223333';
const NO_DAEMON = 7;

let slapd: PrivateSlapd;
let cloud: TestCloud;
let port = 0;

beforeAll(async () => {
  if (absent !== undefined) return;
  slapd = await PrivateSlapd.start();
  [port = 0] = await freePorts(1);
  const bindPasswordFile = join(slapd.dir, 'ldap.password');
  const caFile = join(slapd.dir, 'ca-of-ldap.pem');
  writeFileSync(bindPasswordFile, `${slapd.bindPassword}\n`, { mode: 0o600 });
  writeFileSync(caFile, slapd.authority.ca);
  cloud = new TestCloud({
    NOVACTL_DRIVERS: 'simulated',
    NOVACTL_METADATA_LISTEN: 'none',
    NOVACTL_EC2_LISTEN: '127.0.0.1',
    NOVACTL_EC2_PORT: String(port),
    NOVACTL_DIRECTORY_KIND: 'ldap',
    NOVACTL_DIRECTORY_URL: slapd.tlsUrl,
    NOVACTL_DIRECTORY_CA: caFile,
    NOVACTL_DIRECTORY_BASE_DN: slapd.places.baseDn,
    NOVACTL_DIRECTORY_BIND_PASSWORD_FILE: bindPasswordFile,
  });
  await cloud.start();
}, 60_000);

afterAll(async () => {
  if (absent !== undefined) return;
  await cloud.destroy();
  await slapd.destroy();
}, 30_000);

/** One request of the EC2 API over HTTPS, signed by the key. */
function ec2(key: AccessKey, Action: string, more: Readonly<Record<string, string>> = {}): Promise<Ec2Reply> {
  const body = formOf({ Action, Version: '2016-11-15', ...more });
  const headers = signRequest(
    {
      ...{ method: 'POST', target: '/', region: 'nova', service: 'ec2', nowMs: new SystemClock().nowMs() },
      headers: { host: `localhost:${port}`, 'content-type': 'application/x-www-form-urlencoded' },
      body: Buffer.from(body),
    },
    key,
  );
  const ca = readFileSync(join(cloud.dir, 'state', 'tls', 'ca.pem'));
  const at = { host: '127.0.0.1', servername: 'localhost', port, path: '/', method: 'POST', ca, agent: false };
  return new Promise((resolve, reject) => {
    const req = request({ ...at, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve(replyOf(response.statusCode ?? 0, response.headers, Buffer.concat(chunks).toString('utf8'))),
      );
    });
    req.on('error', reject);
    req.end(body);
  });
}

async function keyOf(user: string, project: string): Promise<AccessKey> {
  const made = await cloud.json<AccessKey>(...['key', 'create', '--user', user, '--project', project]);
  return made;
}

const group = (key: AccessKey, GroupName: string): Promise<Ec2Reply> =>
  ec2(key, 'CreateSecurityGroup', { GroupName, GroupDescription: 'test' });

describe.skipIf(absent !== undefined)(`[real] a cloud whose users are in LDAP (${absent ?? 'slapd'})`, () => {
  let admin: AccessKey;
  let anna: AccessKey;

  it('gets its first people by the socket, as packaging/ldap says', async () => {
    // Nobody is in the directory yet: the first key is nobody's.
    expect(await cloud.cli('key', 'create')).toMatchObject({ code: 3 });
    await cloud.ok('user', 'create', 'admin');
    await cloud.ok('role', 'add', 'cloudadmin', 'admin');
    await cloud.ok('project', 'create', 'admin');
    await cloud.ok('user', 'create', 'anna');
    await cloud.ok('user', 'create', 'bob');
    await cloud.ok('project', 'create', 'lab', '--manager', 'bob', '--member', 'anna', '--account-id', ACCOUNT);
    admin = await keyOf('admin', 'admin');
    anna = await keyOf('anna', 'lab');
    expect(await ec2(admin, 'DescribeRegions')).toMatchObject({ status: 200 });
    expect((await cloud.cli('user', 'create', 'anna')).stderr).toContain('there is a user anna already');
    expect(await cloud.cli('key', 'create', '--user', 'ghost')).toMatchObject({ code: 3 });
  });

  it('what was made before its process died, and not recorded, is found by who asks for the same again', async () => {
    const directory = createLdapDirectory(slapd.settings());
    const createdAtMs = new SystemClock().nowMs();
    const user = { name: 'carl', enabled: true, roles: [], createdAtMs };
    await directory.apply({ kind: 'create-user', user, password: 'as it was asked' });
    const project = { id: 'hall', manager: 'bob', members: ['anna', 'bob'], roles: {}, accountId: '444455556666' };
    await directory.apply({ kind: 'create-project', project: { ...project, createdAtMs } });
    await directory.close();
    const file = join(slapd.dir, 'given.password');
    const create = (password: string): ReturnType<TestCloud['cli']> => {
      writeFileSync(file, password, { mode: 0o600 });
      return cloud.cli('user', 'create', 'carl', '--password-file', file);
    };
    expect((await create('another password')).stderr).toContain('there is a user carl already');
    expect(await create('as it was asked')).toMatchObject({ code: 0 });
    expect((await create('as it was asked')).stderr).toContain('there is a user carl already');
    const hall = ['project', 'create', 'hall', '--manager', 'bob', '--member', 'anna'];
    expect((await cloud.cli(...hall, '--description', 'other')).stderr).toContain('there is a project hall already');
    await cloud.ok(...hall);
    expect(await cloud.json('project', 'show', 'hall')).toMatchObject({ accountId: '444455556666', manager: 'bob' });
    expect((await cloud.cli(...hall)).stderr).toContain('there is a project hall already');
  });

  it('a role counts at once, and so does its end; what is made has the account that LDAP says', async () => {
    expect(await group(anna, 'one')).toMatchObject({ status: 403, code: 'UnauthorizedOperation' });
    await cloud.ok('role', 'add', 'netadmin', 'anna', '--project', 'lab');
    const made = await group(anna, 'one');
    expect(made).toMatchObject({ status: 200 });
    const id = xmlText(made.xml, 'groupId') ?? '';
    const { text } = await ec2(anna, 'DescribeSecurityGroups', { 'GroupId.1': id });
    expect(text).toContain(`<ownerId>${ACCOUNT}</ownerId>`);
    await cloud.ok('role', 'remove', 'netadmin', 'anna', '--project', 'lab');
    expect(await group(anna, 'two')).toMatchObject({ status: 403, code: 'UnauthorizedOperation' });
    expect((await cloud.cli('project', 'delete', 'lab')).stderr).toContain(`security groups ${id}`);
    expect(await cloud.cli('quota', 'show', '--project', 'lab')).toMatchObject({ code: 0 });
    expect((await cloud.cli('quota', 'show', '--project', 'ghost')).code).toBe(3);
  });

  it('a disabled user is refused at once, until enabled', async () => {
    await cloud.ok('user', 'disable', 'anna');
    expect(await ec2(anna, 'DescribeSecurityGroups')).toMatchObject({ status: 401, code: 'AuthFailure' });
    await cloud.ok('user', 'enable', 'anna');
    expect(await ec2(anna, 'DescribeSecurityGroups')).toMatchObject({ status: 200 });
  });

  it('while LDAP is down who was known a moment ago goes on, and nobody is told no', async () => {
    const other = await keyOf('bob', 'lab');
    await slapd.stop();
    const known = await ec2(anna, 'DescribeSecurityGroups');
    expect(known).toMatchObject({ status: 200 });
    expect(known.text).toContain(`<ownerId>${ACCOUNT}</ownerId>`);
    // Was not asked for since the last change.
    expect(await ec2(other, 'DescribeSecurityGroups')).toMatchObject({ status: 503 });
    for (const words of [
      ['user', 'list'],
      ['user', 'create', 'eve'],
      ['role', 'add', 'netadmin', 'anna'],
    ]) {
      const { code, stderr } = await cloud.cli(...words);
      expect({ words, code, stderr }).toMatchObject({ words, code: NO_DAEMON });
      expect(stderr).not.toMatch(/denied|not allowed|no user/i);
    }
    expect((await cloud.cli('instance', 'list')).code).toBe(0);
    await slapd.run();
    expect(await ec2(other, 'DescribeSecurityGroups')).toMatchObject({ status: 200 });
    expect(await cloud.ok('user', 'list')).toContain('anna');
    await cloud.ok('user', 'create', 'eve');
  });
});
