import { Attribute, Change, type Client } from 'ldapts';
import { expect, it } from 'vitest';
import { canary } from '../support/canaries.ts';
import type { PrivateSlapd } from '../support/private-slapd.ts';
import { project, sorted, user } from './directory.ts';
import { openOn } from './directory-ldap-server.ts';

const PASSWORD = canary("a user's password");
const REFUSED = { code: 'UnsupportedOperation' };

const withAttribute = (operation: 'add' | 'replace', type: string, value: string): Change =>
  new Change({ operation, modification: new Attribute({ type, values: [value] }) });

/** Directories that have people in them already. */
export function peopleCases(server: () => PrivateSlapd): void {
  it('a person of others becomes a user and stays a person when the user is deleted [real]', async () => {
    const slapd = server();
    await slapd.empty();
    const more = { uid: 'JDoe', displayName: 'Jane Doe', mail: 'jane@example.org', telephoneNumber: '+1 2' };
    const dn = await slapd.addPerson('cn=Jane Doe\\, PhD', { ...more, cn: 'Jane Doe, PhD', sn: 'Doe' });
    await slapd.setPassword(dn, PASSWORD);
    const entry = (): Promise<unknown> =>
      slapd.asRoot(async (client) => (await client.search(dn, { scope: 'base' })).searchEntries[0]);
    const before = await entry();
    const directory = openOn(slapd);
    expect(await directory.user('jdoe')).toBeUndefined();
    expect(await directory.authenticate('jdoe', PASSWORD)).toBe(false);
    const jane = user('jdoe', { displayName: 'Jane Doe', email: 'jane@example.org', roles: ['itsec'] });
    await directory.apply({ kind: 'create-user', user: user('jdoe', { roles: ['itsec'] }) });
    expect(await directory.user('jdoe')).toEqual(jane);
    expect(await directory.users()).toEqual([jane]);
    expect(await directory.authenticate('jdoe', PASSWORD)).toBe(true);
    const again = directory.apply({ kind: 'create-user', user: user('jdoe') });
    await expect(again).rejects.toMatchObject({ code: 'InvalidUser.Duplicate' });
    await directory.apply({ kind: 'create-user', user: user('boss') });
    await directory.apply({
      kind: 'create-project',
      project: project('p', { manager: 'boss', members: ['boss', 'jdoe'] }),
    });
    await directory.apply({ kind: 'add-role', projectId: 'p', user: 'jdoe', role: 'netadmin' });
    expect(sorted(await directory.project('p'))).toMatchObject({
      members: ['boss', 'jdoe'],
      roles: { jdoe: ['netadmin'] },
    });
    expect((await directory.projectsOf('jdoe')).map(({ id }) => id)).toEqual(['p']);
    await directory.apply({ kind: 'modify-user', name: 'jdoe', enabled: false });
    expect(await directory.authenticate('jdoe', PASSWORD)).toBe(false);
    await directory.apply({ kind: 'delete-user', name: 'jdoe' });
    expect(await directory.user('jdoe')).toBeUndefined();
    expect(sorted(await directory.project('p'))).toMatchObject({ members: ['boss'], roles: {} });
    expect(await entry()).toEqual(before);
    // As a user again, with nothing of before.
    await directory.apply({ kind: 'create-user', user: user('jdoe') });
    expect(await directory.user('jdoe')).toEqual({ ...jane, roles: [] });
  });

  it('what others keep of a person is not changed, and that is said [real]', async () => {
    const slapd = server();
    await slapd.empty();
    await slapd.addPerson('uid=jdoe', { uid: 'jdoe', mail: 'jane@example.org' });
    const directory = openOn(slapd);
    const other = user('jdoe', { email: 'other@example.org' });
    await expect(directory.apply({ kind: 'create-user', user: other })).rejects.toMatchObject(REFUSED);
    const made = directory.apply({ kind: 'create-user', user: user('jdoe'), password: PASSWORD });
    await expect(made).rejects.toMatchObject(REFUSED);
    expect(await directory.user('jdoe')).toBeUndefined();
    await directory.apply({ kind: 'create-user', user: user('jdoe', { email: 'jane@example.org' }) });
    for (const change of [{ email: 'x@example.org' }, { displayName: 'X' }, { password: PASSWORD }, { email: '' }]) {
      const modified = directory.apply({ kind: 'modify-user', name: 'jdoe', ...change });
      await expect(modified, JSON.stringify(change)).rejects.toMatchObject({ ...REFUSED, details: { user: 'jdoe' } });
    }
    await directory.apply({ kind: 'modify-user', name: 'jdoe', email: 'jane@example.org' });
    expect(await directory.user('jdoe')).toEqual(user('jdoe', { email: 'jane@example.org' }));
  });

  it('only people whom the filter takes are users, by whatever attributes they have [real]', async () => {
    const slapd = server();
    await slapd.empty();
    await slapd.addPerson('cn=in', { employeeNumber: 'e1', givenName: 'In', uid: 'other', departmentNumber: 'cloud' });
    await slapd.addPerson('cn=out', { employeeNumber: 'e2', uid: 'e1', departmentNumber: 'sales' });
    const attributes = { name: 'employeeNumber', displayName: 'givenName', email: 'mail' };
    const directory = openOn(slapd, { attributes, userFilter: '(departmentNumber=cloud)' });
    await directory.apply({ kind: 'create-user', user: user('e1') });
    expect(await directory.users()).toEqual([user('e1', { displayName: 'In' })]);
    expect(await directory.user('e2')).toBeUndefined();
    expect(() => openOn(slapd, { userFilter: '(uid=' })).toThrowError(
      expect.objectContaining({ code: 'InvalidParameterValue' }) as Error,
    );
  });

  it('the account of novactl can remove whom it made, and no other person [real]', async () => {
    const slapd = server();
    await slapd.empty();
    const person = await slapd.addPerson('uid=jdoe', { uid: 'jdoe', mail: 'jane@example.org' });
    const directory = openOn(slapd);
    await directory.apply({ kind: 'create-user', user: user('jdoe') });
    await directory.apply({ kind: 'create-user', user: user('own'), password: PASSWORD });
    await slapd.as(slapd.bindDn, slapd.bindPassword, async (client) => {
      const { searchEntries } = await client.search(person, { scope: 'base', attributes: ['userPassword', 'mail'] });
      expect(searchEntries[0]).toMatchObject({ mail: 'jane@example.org', userPassword: [] });
      for (const attempt of [
        () => client.del(person),
        () => client.modify(person, withAttribute('replace', 'mail', 'x@example.org')),
        () => client.modify(person, withAttribute('replace', 'userPassword', 'a fine long password 8')),
      ]) {
        await expect(attempt(), String(attempt)).rejects.toMatchObject({ code: 50 });
      }
    });
    expect(await directory.authenticate('own', PASSWORD)).toBe(true);
    await directory.apply({ kind: 'delete-user', name: 'own' });
    expect((await directory.users()).map(({ name }) => name)).toEqual(['jdoe']);
  });

  it('two people of one name are nobody, and that is told [real]', async () => {
    const slapd = server();
    await slapd.empty();
    for (const cn of ['a', 'b']) await slapd.addPerson(`cn=${cn}`, { uid: 'jdoe' });
    const asked = openOn(slapd).user('jdoe');
    await expect(asked).rejects.toMatchObject({
      code: 'Unavailable',
      message: expect.stringMatching(/cn=a,.*cn=b,/) as string,
    });
  });

  it('who was removed by others leaves nothing to the next of that name [real]', async () => {
    const slapd = server();
    await slapd.empty();
    const directory = openOn(slapd);
    for (const name of ['alice', 'bob']) await directory.apply({ kind: 'create-user', user: user(name) });
    await directory.apply({ kind: 'create-project', project: project('p', { members: ['alice', 'bob'] }) });
    await directory.apply({ kind: 'add-role', projectId: 'p', user: 'bob', role: 'netadmin' });
    for (const name of ['alice', 'bob']) {
      await slapd.asRoot((client) => client.del(`uid=${name},${slapd.places.userBase}`));
    }
    await directory.apply({ kind: 'create-user', user: user('bob') });
    expect(await directory.projectsOf('bob')).toEqual([]);
    expect(sorted(await directory.project('p'))).toMatchObject({ members: ['alice'], roles: {} });
    // The manager's name is given back only when somebody else has the project.
    const alice = { kind: 'create-user', user: user('alice') } as const;
    await expect(directory.apply(alice)).rejects.toMatchObject({ code: 'InvalidUser.InUse' });
    await directory.apply({ kind: 'modify-project', id: 'p', manager: 'bob' });
    await directory.apply(alice);
    expect(await directory.projectsOf('alice')).toEqual([]);
  });

  it('more people than a server gives at once are all there, or none [real]', async () => {
    const slapd = server();
    await slapd.empty();
    const names = Array.from({ length: 620 }, (_, index) => `user${index}`);
    const directory = openOn(slapd);
    await Promise.all(names.map((name) => directory.apply({ kind: 'create-user', user: user(name) })));
    expect((await directory.users()).map(({ name }) => name).toSorted()).toEqual(names.toSorted());
    const database = 'olcDatabase={1}mdb,cn=config';
    const limits = (operation: 'add' | 'delete'): Promise<void> =>
      slapd.as(slapd.configDn, slapd.rootPassword, (client) => {
        const values = operation === 'add' ? [`dn.exact="${slapd.bindDn}" size=unlimited time=unlimited`] : [];
        return client.modify(
          database,
          new Change({ operation, modification: new Attribute({ type: 'olcLimits', values }) }),
        );
      });
    await limits('delete');
    try {
      await expect(openOn(slapd).users()).rejects.toMatchObject({
        code: 'Unavailable',
        message: expect.stringMatching(/olcLimits/) as string,
      });
    } finally {
      await limits('add');
    }
  });
}

/** What the rules and policies that we ship let others do. */
export function ruleCases(server: () => PrivateSlapd): void {
  it('an ordinary user neither reads nor changes what is ours, and nobody less [real]', async () => {
    const slapd = server();
    await slapd.empty();
    const directory = openOn(slapd);
    await directory.apply({ kind: 'create-user', user: user('alice', { roles: ['developer'] }), password: PASSWORD });
    await directory.apply({ kind: 'create-user', user: user('bob') });
    await directory.apply({ kind: 'create-project', project: project('p') });
    const [alice, bob] = ['alice', 'bob'].map((name) => `uid=${name},${slapd.places.userBase}`) as [string, string];
    const { baseDn } = slapd.places;
    await slapd.as(alice, PASSWORD, async (client) => {
      const { searchEntries } = await client.search(slapd.suffix, { scope: 'sub', attributes: ['*', '+'] });
      const text = JSON.stringify(searchEntries);
      expect(searchEntries.map(({ dn }) => dn)).toEqual(expect.arrayContaining([slapd.suffix, alice]));
      for (const hidden of [
        'novaGlobalRole":["',
        'novaGlobalRole":"',
        'userPassword":"',
        'cn=p,',
        `${bob}"`,
        '"dn":"cn=novactl',
      ]) {
        expect(text).not.toContain(hidden);
      }
      const tries: readonly ((by: Client) => Promise<void>)[] = [
        (by) => by.modify(alice, withAttribute('add', 'novaGlobalRole', 'cloudadmin')),
        (by) => by.modify(alice, withAttribute('replace', 'novaEnabled', 'TRUE')),
        (by) => by.modify(alice, withAttribute('replace', 'mail', 'x@example.org')),
        (by) => by.modify(bob, withAttribute('replace', 'userPassword', 'a fine long password 8')),
        (by) => by.modify(`cn=p,ou=projects,${baseDn}`, withAttribute('add', 'member', bob)),
        (by) => by.del(`cn=p,ou=projects,${baseDn}`),
        (by) => by.add(`uid=eve,${slapd.places.userBase}`, { objectClass: ['inetOrgPerson'], cn: 'e', sn: 'e' }),
        (by) => by.modify(slapd.bindDn, withAttribute('replace', 'userPassword', 'a fine long password 8')),
      ];
      // 50: insufficient access; 32: not even to be seen.
      for (const attempt of tries) {
        const error: unknown = await attempt(client).catch((problem: unknown) => problem);
        expect([32, 50], String(attempt)).toContain((error as { code?: number }).code);
      }
      // One's own password one may change.
      await client.modify(alice, withAttribute('replace', 'userPassword', 'a fine long password 7'));
    });
    expect(await directory.authenticate('alice', 'a fine long password 7')).toBe(true);
    expect(await directory.user('alice')).toEqual(user('alice', { roles: ['developer'] }));
  });

  it('the account of novactl may change no more than it needs [real]', async () => {
    const slapd = server();
    await slapd.empty();
    const directory = openOn(slapd);
    await directory.apply({ kind: 'create-user', user: user('alice'), password: PASSWORD });
    const person = await slapd.addPerson('uid=jdoe', { uid: 'jdoe', mail: 'jane@example.org' });
    const alice = `uid=alice,${slapd.places.userBase}`;
    await slapd.as(slapd.bindDn, slapd.bindPassword, async (client) => {
      const { searchEntries } = await client.search(alice, { scope: 'base', attributes: ['userPassword', 'uid'] });
      expect(searchEntries[0]).toMatchObject({ uid: 'alice', userPassword: [] });
      for (const attempt of [
        () => client.modify(person, withAttribute('replace', 'mail', 'x@example.org')),
        () => client.modify(person, withAttribute('replace', 'userPassword', 'a fine long password 8')),
        () => client.del(person),
        () => client.modify(slapd.bindDn, withAttribute('replace', 'description', 'x')),
        () =>
          client.modify(`cn=people,ou=policies,${slapd.places.baseDn}`, withAttribute('replace', 'pwdMinLength', '1')),
      ]) {
        await expect(attempt(), String(attempt)).rejects.toMatchObject({ code: 50 });
      }
    });
    // The port's own words for it.
    const elsewhere = openOn(slapd, { userBase: slapd.peopleDn });
    await expect(elsewhere.apply({ kind: 'create-user', user: user('jdoe') })).rejects.toMatchObject(REFUSED);
  });

  it('a password that the policy refuses makes no user and changes none [real]', async () => {
    const slapd = server();
    await slapd.empty();
    const directory = openOn(slapd);
    const refused = {
      code: 'InvalidParameterValue',
      message: expect.stringMatching(/password.*(quality|short)/i) as string,
    };
    const made = directory.apply({ kind: 'create-user', user: user('alice'), password: 'short' });
    await expect(made).rejects.toMatchObject(refused);
    expect(await directory.user('alice')).toBeUndefined();
    await directory.apply({ kind: 'create-user', user: user('alice'), password: PASSWORD });
    const changed = directory.apply({ kind: 'modify-user', name: 'alice', password: 'short', email: 'x@example.org' });
    await expect(changed).rejects.toMatchObject(refused);
    expect(await directory.user('alice')).toEqual(user('alice'));
    expect(await directory.authenticate('alice', PASSWORD)).toBe(true);
  });

  it('guesses lock a person out, and never novactl [real]', async () => {
    const slapd = server();
    await slapd.empty();
    const directory = openOn(slapd);
    await directory.apply({ kind: 'create-user', user: user('alice'), password: PASSWORD });
    for (let guess = 0; guess < 6; guess += 1) {
      expect(await directory.authenticate('alice', `guess ${guess}`)).toBe(false);
      await expect(openOn(slapd, { bindPassword: `guess ${guess}` }).users()).rejects.toMatchObject({
        code: 'Unavailable',
      });
    }
    expect(await directory.authenticate('alice', PASSWORD)).toBe(false);
    expect(await openOn(slapd).users()).toEqual([user('alice')]);
  });
}
