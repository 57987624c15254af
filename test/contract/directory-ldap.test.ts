import { afterAll, beforeAll, beforeEach, describe } from 'vitest';
import { createLdapDirectory } from '../../src/adapters/directory/ldap-directory.ts';
import type { LdapSettings } from '../../src/adapters/directory/ldap-settings.ts';
import { PrivateSlapd, slapdMissing } from '../support/private-slapd.ts';
import { peopleCases, ruleCases } from './directory-ldap-people.ts';
import { serverCases, trustCases } from './directory-ldap-server.ts';
import { directoryContract, type DirectorySubject } from './directory.ts';

const missing = slapdMissing();
let slapd: PrivateSlapd | undefined;

beforeAll(async () => {
  if (missing === undefined) slapd = await PrivateSlapd.start();
});
afterAll(() => slapd?.destroy());
beforeEach((ctx) => ctx.skip(missing !== undefined, missing));

function server(): PrivateSlapd {
  if (slapd === undefined) throw new Error('slapd did not start');
  return slapd;
}

/** Two processes on one directory. */
async function subject(other: Partial<LdapSettings>): Promise<DirectorySubject> {
  const [directory, second] = [0, 1].map(() => createLdapDirectory(server().settings(other)));
  if (directory === undefined || second === undefined) throw new Error('no directory');
  await server().empty();
  return {
    directory,
    second,
    close: async () => void (await Promise.all([directory.close(), second.close()])),
  };
}

directoryContract('[real] slapd, plain on loopback', () => subject({}));
directoryContract('[real] slapd, StartTLS', () =>
  subject({ url: `ldap://localhost:${server().port}`, startTls: true }),
);
directoryContract('[real] slapd, ldaps', () => subject({ url: server().tlsUrl }));
describe('LDAP server', () => serverCases(server));
describe('Trust in an LDAP server', () => trustCases(server));
describe('People of others in LDAP', () => {
  let theirs: PrivateSlapd | undefined;
  beforeAll(async () => {
    if (missing === undefined) theirs = await PrivateSlapd.start({ othersPeople: true });
  });
  afterAll(() => theirs?.destroy());
  peopleCases(() => {
    if (theirs === undefined) throw new Error('slapd did not start');
    return theirs;
  });
});
describe('Rules of an LDAP server', () => ruleCases(server));
