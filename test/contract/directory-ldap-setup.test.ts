import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { checkLdap } from '../../src/adapters/directory/ldap-check.ts';
import { createLdapDirectory } from '../../src/adapters/directory/ldap-directory.ts';
import { ConfigSchema, type Config } from '../../src/launch/config/schema.ts';
import { applyDirectoryTree, checkDirectory, renderDirectorySetup } from '../../src/launch/directory-setup.ts';
import { PrivateSlapd, slapdMissing } from '../support/private-slapd.ts';
import { user } from './directory.ts';

const missing = slapdMissing();
let slapd: PrivateSlapd | undefined;

beforeAll(async () => {
  if (missing === undefined) slapd = await PrivateSlapd.start({ bare: true });
});
afterAll(() => slapd?.destroy());
beforeEach((ctx) => ctx.skip(missing !== undefined, missing));

function secret(dir: string, name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, `${text}\n`, { mode: 0o600 });
  return path;
}

const failures = (findings: readonly { check: string; result: string }[]): string[] =>
  findings.filter(({ result }) => result === 'failed').map(({ check }) => check);

it('what init prints and loads makes a bare server what check wants and the directory needs [real]', async () => {
  if (slapd === undefined) throw new Error('slapd did not start');
  const { dir, url, suffix, configDn, rootDn, rootPassword, bindPassword, authority } = slapd;
  const bindPasswordFile = secret(dir, 'bind-password', bindPassword);
  const passwordFile = secret(dir, 'root-password', rootPassword);
  const settings = { kind: 'ldap', url, baseDn: `ou=novactl,${suffix}`, bindPasswordFile, ca: authority.caFile };
  const config: Config = ConfigSchema.parse({ directory: settings });
  expect(failures(await checkDirectory(config))).toEqual(['bind']);
  const { config: changes } = await renderDirectorySetup(config, 'olcDatabase={1}mdb,cn=config');
  const file = join(dir, 'changes.ldif');
  writeFileSync(file, changes);
  execFileSync('ldapmodify', ['-x', '-H', url, '-D', configDn, '-w', rootPassword, '-f', file], { stdio: 'pipe' });
  const admin = { dn: rootDn, passwordFile };
  const made = await applyDirectoryTree(config, admin);
  expect(made.map(({ action }) => action)).toEqual(made.map(() => 'made'));
  const again = await applyDirectoryTree(config, admin);
  expect(again).toEqual(made.map(({ dn }) => ({ dn, action: 'there' })));
  const findings = await checkDirectory(config);
  expect(failures(findings), JSON.stringify(findings)).toEqual([]);
  expect(findings.map(({ check }) => check)).toEqual(
    expect.arrayContaining(['reachable', 'TLS', 'bind', 'schema', 'tree', 'anonymous', 'write']),
  );
  const directory = createLdapDirectory(slapd.settings());
  await directory.apply({ kind: 'create-user', user: user('alice'), password: 'correct horse battery 1' });
  expect(await directory.authenticate('alice', 'correct horse battery 1')).toBe(true);
  // The check leaves nothing.
  expect(await directory.projects()).toEqual([]);
  await directory.close();
  expect(readFileSync(file, 'utf8')).not.toContain(bindPassword);
});

it('check tells of a directory that strangers read and of one that cannot be written [real]', async () => {
  if (slapd === undefined) throw new Error('slapd did not start');
  const { url, suffix, rootDn } = slapd;
  const open = { ...slapd.settings(), baseDn: suffix, userBase: suffix };
  expect(failures(await checkLdap({ ...open, bindDn: rootDn, bindPassword: slapd.rootPassword }))).toEqual(
    expect.arrayContaining(['tree', 'anonymous', 'write']),
  );
  expect(failures(await checkLdap({ ...open, url: url.replace(/\d+$/, '1') }))).toEqual(['reachable']);
});
