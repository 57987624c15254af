import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { createLdapDirectory } from '../../src/adapters/directory/ldap-directory.ts';
import type { LdapSettings } from '../../src/adapters/directory/ldap-settings.ts';
import type { Directory, DirectoryChange } from '../../src/ports/directory.ts';
import { canary } from '../support/canaries.ts';
import { CuttingProxy } from '../support/cutting-proxy.ts';
import type { PrivateSlapd } from '../support/private-slapd.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { project, sorted, user } from './directory.ts';

const PASSWORD = canary("a user's password");
const UNAVAILABLE = { code: 'Unavailable' };

/** A directory that is closed when the test ends. */
export function openOn(slapd: PrivateSlapd, other: Partial<LdapSettings> = {}): Directory {
  const directory = createLdapDirectory(slapd.settings(other));
  onTestFinished(() => directory.close());
  return directory;
}

async function withAlice(slapd: PrivateSlapd, other: Partial<LdapSettings> = {}): Promise<Directory> {
  await slapd.empty();
  const directory = openOn(slapd, other);
  await directory.apply({ kind: 'create-user', user: user('alice'), password: PASSWORD });
  await directory.apply({ kind: 'create-project', project: project('p') });
  return directory;
}

/** Every question and a change: none may say "no" where nobody could be asked. */
async function expectUnavailable(directory: Directory): Promise<void> {
  const asked: readonly (() => Promise<unknown>)[] = [
    () => directory.user('alice'),
    () => directory.users(),
    () => directory.project('p'),
    () => directory.projects(),
    () => directory.projectsOf('alice'),
    () => directory.authenticate('alice', PASSWORD),
    () => directory.authenticate('alice', 'not the password'),
    () => directory.apply({ kind: 'add-role', user: 'alice', role: 'itsec' }),
    () => directory.apply({ kind: 'delete-user', name: 'ghost' }),
  ];
  for (const ask of asked) await expect(ask(), String(ask)).rejects.toMatchObject(UNAVAILABLE);
  expect(directory.problem()).toMatch(/directory/);
}

async function expectWell(directory: Directory): Promise<void> {
  expect(await directory.user('alice')).toEqual(user('alice'));
  expect(await directory.project('p')).toEqual(project('p'));
  expect(await directory.authenticate('alice', PASSWORD)).toBe(true);
  expect(directory.problem()).toBeUndefined();
}

/** Servers that stop, hang and come again, and connections that break. */
export function serverCases(server: () => PrivateSlapd): void {
  for (const [how, other] of [
    ['plain', {}],
    ['StartTLS', { startTls: true }],
    ['ldaps', { url: 'tls' }],
  ] as const) {
    it(`stopped it is unavailable, started again it is asked as before: ${how} [real]`, async () => {
      const slapd = server();
      const url = how === 'plain' ? slapd.url : how === 'ldaps' ? slapd.tlsUrl : `ldap://localhost:${slapd.port}`;
      const directory = await withAlice(slapd, { ...other, url });
      await expectWell(directory);
      await slapd.stop();
      await expectUnavailable(directory);
      await slapd.run();
      await expectWell(directory);
      // A restart between two questions: the new connection must be bound, or nobody would be there.
      await slapd.stop('SIGKILL');
      await slapd.run();
      await expectWell(directory);
    });
  }

  it('a server that hangs is unavailable after the time that is configured [real]', async () => {
    const slapd = server();
    const directory = await withAlice(slapd, { timeoutMs: 150, connectTimeoutMs: 150 });
    await slapd.freeze();
    try {
      await expectUnavailable(directory);
      const startedMs = performance.now();
      await Promise.allSettled(Array.from({ length: 20 }, () => directory.user('alice')));
      expect(performance.now() - startedMs).toBeLessThan(2000);
    } finally {
      slapd.thaw();
    }
    await expectWell(openOn(slapd));
  });

  it('a network that lost its cable is unavailable, and is used again when it is back [real]', async () => {
    const slapd = server();
    const proxy = await CuttingProxy.start(slapd.port);
    onTestFinished(() => proxy.close());
    const directory = await withAlice(slapd, { url: `ldap://127.0.0.1:${proxy.port}`, timeoutMs: 200 });
    proxy.hold();
    await expect(directory.user('alice')).rejects.toMatchObject(UNAVAILABLE);
    proxy.pass();
    await expectWell(directory);
    proxy.refuse();
    await expectUnavailable(directory);
    proxy.pass();
    await expectWell(directory);
  });

  it('an answer that was cut off anywhere is no answer [real]', async () => {
    const slapd = server();
    await withAlice(slapd);
    const whole = openOn(slapd);
    for (const name of ['bob', 'carol', 'dave']) await whole.apply({ kind: 'create-user', user: user(name) });
    const expected = await whole.users();
    const proxy = await CuttingProxy.start(slapd.port);
    onTestFinished(() => proxy.close());
    const directory = openOn(slapd, { url: `ldap://127.0.0.1:${proxy.port}` });
    const seen = { cut: 0, whole: 0 };
    for (let bytes = 1; seen.whole < 3; bytes += 7) {
      proxy.cutAfter(bytes);
      const users = await directory.users().catch((error: unknown) => error);
      if (Array.isArray(users)) {
        expect(users).toEqual(expected);
        seen.whole += 1;
      } else {
        expect(users, `after ${bytes} bytes`).toMatchObject(UNAVAILABLE);
        seen.cut += 1;
      }
    }
    expect(seen.cut).toBeGreaterThan(10);
    proxy.cutNever();
    expect(await directory.users()).toEqual(expected);
  });

  it('what a lost connection left half done is completed by the same change [real]', async () => {
    const slapd = server();
    const proxy = await CuttingProxy.start(slapd.port);
    onTestFinished(() => proxy.close());
    const whole = openOn(slapd);
    for (const change of ENSURED) {
      let cuts = 0;
      for (let bytes = 60; ; bytes += 97) {
        await slapd.empty();
        await setUp(whole);
        const directory = createLdapDirectory(slapd.settings({ url: `ldap://127.0.0.1:${proxy.port}` }));
        proxy.cutAfter(bytes);
        const ended: unknown = await directory.apply(change).catch((error: unknown) => error);
        await directory.close();
        if (ended === undefined) break;
        expect(ended, `${change.kind} after ${bytes} bytes`).toMatchObject(UNAVAILABLE);
        cuts += 1;
        const between = sorted(await whole.project('p'));
        expect(between === undefined || between.members.includes(between.manager), change.kind).toBe(true);
        await whole.apply(change);
        const redone = [await whole.users(), sorted(await whole.project('p'))];
        await slapd.empty();
        await setUp(whole);
        await whole.apply(change);
        expect(redone, `${change.kind} after ${bytes} bytes`).toEqual([
          await whole.users(),
          sorted(await whole.project('p')),
        ]);
      }
      expect(cuts, change.kind).toBeGreaterThan(0);
    }
  }, 40_000);

  it('a user whose making was cut off is nobody who may do anything, and can be completed [real]', async () => {
    const slapd = server();
    const proxy = await CuttingProxy.start(slapd.port);
    onTestFinished(() => proxy.close());
    const whole = openOn(slapd);
    const left = new Set<string>();
    for (let bytes = 20; ; bytes += 13) {
      await slapd.empty();
      const directory = createLdapDirectory(slapd.settings({ url: `ldap://127.0.0.1:${proxy.port}` }));
      proxy.cutAfter(bytes);
      const change = { kind: 'create-user', user: user('alice'), password: PASSWORD } as const;
      const ended: unknown = await directory.apply(change).catch((error: unknown) => error);
      await directory.close();
      if (ended === undefined) break;
      const now = await whole.user('alice');
      left.add(now === undefined ? 'nobody' : now.enabled ? 'enabled' : 'disabled');
      // Enabled is the last step, so that who is enabled has all that was asked for.
      if (now?.enabled === true) expect(await whole.authenticate('alice', PASSWORD)).toBe(true);
      if (now === undefined) await whole.apply(change);
      else await whole.apply({ kind: 'modify-user', name: 'alice', enabled: true, password: PASSWORD });
      expect(await whole.user('alice')).toEqual(user('alice'));
      expect(await whole.authenticate('alice', PASSWORD)).toBe(true);
    }
    expect([...left]).toEqual(expect.arrayContaining(['nobody', 'disabled']));
  });
}

/** Changes that succeed when they are asked for again. */
const ENSURED: readonly DirectoryChange[] = [
  { kind: 'modify-user', name: 'bob', displayName: 'Bob', password: 'a fine long password 9', enabled: false },
  { kind: 'delete-user', name: 'bob' },
  { kind: 'modify-project', id: 'p', description: 'x', manager: 'carol' },
  { kind: 'delete-project', id: 'p' },
  { kind: 'add-member', projectId: 'p', user: 'carol' },
  { kind: 'remove-member', projectId: 'p', user: 'bob' },
  { kind: 'add-role', projectId: 'p', user: 'bob', role: 'itsec' },
  { kind: 'add-role', user: 'bob', role: 'itsec' },
];

async function setUp(directory: Directory): Promise<void> {
  for (const name of ['alice', 'bob', 'carol']) await directory.apply({ kind: 'create-user', user: user(name) });
  const roles = { bob: ['developer', 'netadmin'] } as const;
  await directory.apply({ kind: 'create-project', project: project('p', { members: ['alice', 'bob'], roles }) });
}

/** Who may speak to whom. */
export function trustCases(server: () => PrivateSlapd): void {
  it('a server that can not be trusted is not spoken to, and the text says why [real]', async () => {
    const slapd = server();
    const stranger = new TestAuthority(join(slapd.dir, 'stranger'), 'stranger').ca;
    const plainByName = `ldap://localhost:${slapd.port}`;
    const rows: readonly (readonly [string, Partial<LdapSettings>, RegExp])[] = [
      ['unknown CA, ldaps', { url: slapd.tlsUrl, ca: stranger }, /certificate/],
      ['unknown CA, StartTLS', { url: plainByName, startTls: true, ca: stranger }, /certificate/],
      ['no CA at all', { url: slapd.tlsUrl, ca: undefined }, /certificate/],
      ['another name, ldaps', { url: `ldaps://127.0.0.1:${slapd.tlsPort}` }, /127\.0\.0\.1/],
      ['another name, StartTLS', { url: slapd.url, startTls: true }, /127\.0\.0\.1/],
      ['TLS to the plain port', { url: `ldaps://localhost:${slapd.port}` }, /localhost/],
      ['plain to the TLS port', { url: `ldap://127.0.0.1:${slapd.tlsPort}` }, /127\.0\.0\.1|let/],
      ['wrong password', { bindPassword: 'wrong-secret' }, /directory\.bindDn and directory\.bindPasswordFile/],
      ['no password', { bindPassword: '' }, /directory\.bindPasswordFile/],
      ['no such account', { bindDn: 'cn=ghost,dc=example,dc=org' }, /cn=ghost/],
      ['no such base', { baseDn: 'ou=ghost,dc=example,dc=org', userBase: 'ou=ghost,dc=example,dc=org' }, /ghost/],
    ];
    for (const [what, other, says] of rows) {
      const directory = openOn(slapd, other);
      for (const ask of [() => directory.user('alice'), () => directory.projects()]) {
        const error: unknown = await ask().catch((problem: unknown) => problem);
        expect(error, what).toMatchObject({ ...UNAVAILABLE, message: expect.stringMatching(says) as string });
        expect(JSON.stringify(error) + String(error), what).not.toContain(slapd.bindPassword);
        expect(String(error), what).not.toContain('wrong-secret');
      }
    }
  });

  it('no password goes over a network in the clear', () => {
    const slapd = server();
    for (const [url, startTls] of [
      ['ldap://ldap.example.org', false],
      ['ldap://192.0.2.1:389', false],
      ['ldaps://localhost', true],
      ['ldap://u:p@localhost', false],
      ['http://localhost', false],
      ['ldap://localhost/dc=x', false],
      ['', false],
    ] as const) {
      const open = (): Directory => createLdapDirectory(slapd.settings({ url, startTls }));
      expect(open, url).toThrowError(expect.objectContaining({ code: 'InvalidParameterValue' }) as Error);
    }
  });
}
