import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { LdapEntry } from '../../../../src/adapters/directory/ldap-connection.ts';
import {
  ldapTime,
  newProjectEntry,
  newRoleEntry,
  newUserEntry,
  projectDn,
  projectOf,
  readLdapTime,
  readProject,
  readRole,
  readUser,
  roleDn,
} from '../../../../src/adapters/directory/ldap-entries.ts';
import { nameBelow, plainDn } from '../../../../src/adapters/directory/ldap-dn.ts';
import { SCHEMA_ENTRY } from '../../../../src/adapters/directory/ldap-schema.ts';
import { configLdif, treeEntries } from '../../../../src/adapters/directory/ldap-setup.ts';
import { renderLdif } from '../../../../src/adapters/directory/ldif.ts';
import type { DirectoryProject, DirectoryUser } from '../../../../src/domain/directory.ts';
import { expectGolden } from '../../../support/golden.ts';

const baseDn = 'ou=novactl,dc=example,dc=org';
const places = {
  baseDn,
  userBase: `ou=users,${baseDn}`,
  userFilter: '(objectClass=inetOrgPerson)',
  attributes: { name: 'uid', displayName: 'displayName', email: 'mail' },
};
const alice: DirectoryUser = {
  ...{ name: 'alice', displayName: 'Alice Ö.', email: 'alice@example.org', enabled: true },
  ...{ roles: ['itsec', 'developer'], createdAtMs: 1_700_000_000_123 },
};
const project: DirectoryProject = {
  ...{ id: 'p', description: 'first', accountId: '123456789012', manager: 'alice', members: ['alice'] },
  ...{ roles: { alice: ['netadmin'] }, createdAtMs: 1_700_000_000_000 },
};
const aliceDn = `uid=alice,${places.userBase}`;

const read = (dn: string, entry: Record<string, string | string[]>): LdapEntry => ({
  dn,
  attributes: new Map(Object.entries(entry).map(([name, value]) => [name.toLowerCase(), [value].flat()])),
});

describe('entries of the directory', () => {
  it('are rendered as they were read before they were kept', () => {
    const entries = [
      { dn: aliceDn, attributes: newUserEntry(alice, places) },
      {
        dn: projectDn(places, 'p'),
        attributes: newProjectEntry(project, { managerDn: aliceDn, memberDns: [aliceDn] }),
      },
      { dn: roleDn(places, 'p', 'netadmin'), attributes: newRoleEntry(places, 'netadmin', [aliceDn]) },
    ];
    expectGolden('ldap/entries.ldif', renderLdif(entries));
    const [person, group, role] = entries.map(({ dn, attributes }) => read(dn, attributes)) as [
      LdapEntry,
      LdapEntry,
      LdapEntry,
    ];
    expect(readUser(person, places)).toEqual({ dn: aliceDn, user: alice, isOwn: true });
    const found = readProject(group, places);
    const held = readRole(role, places);
    if (found === undefined || held === undefined) throw new Error('not read');
    expect(projectOf(found, [held], (dn) => nameBelow(dn, 'uid', places.userBase))).toEqual(project);
    // A role of who is no member counts for nothing, and a manager who is gone is shown by the DN.
    expect(projectOf({ ...found, memberDns: [] }, [held], () => undefined)).toMatchObject({
      ...{ manager: aliceDn, members: [], roles: {} },
    });
  });

  it('who is not said to be enabled is not, and unknown roles are none', () => {
    const entry = read(aliceDn, { objectClass: ['novauser'], uid: 'Alice', novaGlobalRole: ['root', 'itsec'] });
    expect(readUser(entry, places)?.user).toEqual({ name: 'alice', enabled: false, roles: ['itsec'], createdAtMs: 0 });
    expect(readUser(read(aliceDn, { objectClass: ['person'], uid: 'alice' }), places)).toBeUndefined();
    expect(readUser(read(aliceDn, { objectClass: ['novaUser'], uid: 'a*b' }), places)).toBeUndefined();
  });

  it('times come back, and what is none is 0', () => {
    for (const ms of [0, 1_700_000_000_123, 1_700_000_000_000]) expect(readLdapTime(ldapTime(ms))).toBe(ms);
    expect(readLdapTime('20231114221320Z')).toBe(1_700_000_000_000);
    expect([readLdapTime('yesterday'), readLdapTime(undefined)]).toEqual([0, 0]);
  });

  it('DNs are compared by what they mean', () => {
    expect(plainDn('UID=Alice , OU=Users,DC=example')).toBe('uid=alice,ou=users,dc=example');
    expect(nameBelow('UID=alice, OU=x', 'uid', 'ou=x')).toBe('alice');
    for (const other of ['uid=a,ou=y,ou=x', 'cn=a,ou=x', 'uid=a+cn=b,ou=x', 'uid=a\\,b,ou=x', 'ou=x']) {
      expect(nameBelow(other, 'uid', 'ou=x'), other).toBeUndefined();
    }
  });
});

describe('what is shipped for a server', () => {
  it('is what novactl renders', () => {
    const setup = { ...places, bindDn: `cn=novactl,${baseDn}` };
    expectGolden('ldap/config.ldif', configLdif('olcDatabase={1}mdb,cn=config', setup, renderLdif));
    expectGolden('ldap/tree.ldif', renderLdif(treeEntries(setup)));
    const elsewhere = { ...setup, userBase: 'ou=people,dc=example,dc=org' };
    expectGolden('ldap/config-others-people.ldif', configLdif('olcDatabase={1}mdb,cn=config', elsewhere, renderLdif));
    const shipped = readFileSync(new URL('../../../../packaging/ldap/novactl.ldif', import.meta.url), 'utf8');
    expect(shipped).toBe(renderLdif([SCHEMA_ENTRY]));
  });
});
