import { isCode, errorText } from '../../base/errors.ts';
import { LdapConnection } from './ldap-connection.ts';
import { dialLdap, dialUnbound } from './ldap-dial.ts';
import { newProjectEntry, projectsDn } from './ldap-entries.ts';
import { ATTRIBUTE_TYPES, namesInSchema, OBJECT_CLASSES } from './ldap-schema.ts';
import { indexesFor } from './ldap-setup.ts';
import { readLdapServer, type LdapSettings } from './ldap-settings.ts';
import { LdapWriter } from './ldap-writer.ts';

/** One look at the directory. */
export interface LdapFinding {
  readonly check: string;
  readonly result: 'ok' | 'failed' | 'unknown';
  readonly detail: string;
}

type Look = (connection: LdapConnection, settings: LdapSettings) => Promise<Omit<LdapFinding, 'check'>>;

const ok = (detail: string): Omit<LdapFinding, 'check'> => ({ result: 'ok', detail });
const failed = (detail: string): Omit<LdapFinding, 'check'> => ({ result: 'failed', detail });
const unknown = (detail: string): Omit<LdapFinding, 'check'> => ({ result: 'unknown', detail });

/** Entries of the check; "~" stands in no project's id, so that nobody takes them for projects. */
const PROBES = ['~check-1', '~check-2'];
const PROBE_ACCOUNT = '999999999999';

const lookAtSchema: Look = async (connection) => {
  const [entry] = await connection.search({
    ...{
      base: 'cn=Subschema',
      scope: 'base',
      filter: '(objectClass=*)',
      attributes: ['attributeTypes', 'objectClasses'],
    },
  });
  if (entry === undefined) return unknown('the server does not show its schema');
  const known = namesInSchema([...entry.attributes.values()].flat());
  const missing = [...namesInSchema([...ATTRIBUTE_TYPES, ...OBJECT_CLASSES])].filter((name) => !known.has(name));
  return missing.length === 0
    ? ok('all attributes and classes')
    : failed(`load packaging/ldap/novactl.ldif: it lacks ${missing.join(', ')}`);
};

const lookAtTree: Look = async (connection, settings) => {
  await connection.search({
    base: projectsDn(settings),
    scope: 'base',
    filter: '(objectClass=*)',
    attributes: ['1.1'],
  });
  await connection.search({ base: settings.userBase, scope: 'base', filter: '(objectClass=*)', attributes: ['1.1'] });
  return ok(`${projectsDn(settings)} and ${settings.userBase}`);
};

const lookAtIndexes: Look = async (connection, settings) => {
  const filter = '(objectClass=olcDatabaseConfig)';
  const found = await connection.searchBelow({
    base: 'cn=config',
    scope: 'one',
    filter,
    attributes: ['olcSuffix', 'olcDbIndex'],
  });
  const database = found.find(({ attributes }) =>
    attributes.get('olcsuffix')?.some((suffix) => settings.baseDn.toLowerCase().endsWith(suffix.toLowerCase())),
  );
  if (database === undefined) return unknown('cn=config is not shown to this account');
  const present = new Set(
    (database.attributes.get('olcdbindex') ?? []).flatMap((line) => line.split(' ')[0]?.split(',') ?? []),
  );
  const missing = indexesFor(settings)
    .flatMap((line) => line.split(' ')[0]?.split(',') ?? [])
    .filter((name) => !present.has(name));
  return missing.length === 0 ? ok('all') : failed(`none for ${missing.join(', ')}: searches read every entry`);
};

/** Two projects of one account, of which the second must be refused. */
const lookAtWrites: Look = async (connection, settings) => {
  const writer = new LdapWriter(connection);
  const { bindDn: managerDn } = settings;
  const [first = '', second = ''] = PROBES.map((name) => `cn=${name},${projectsDn(settings)}`);
  const entryOf = (id: string): ReturnType<typeof newProjectEntry> =>
    newProjectEntry(
      { id, accountId: PROBE_ACCOUNT, manager: '', members: [], roles: {}, createdAtMs: 0 },
      { managerDn, memberDns: [] },
    );
  try {
    await writer.add(first, entryOf(PROBES[0] ?? ''));
    const again = await writer.add(second, entryOf(PROBES[1] ?? ''));
    if (again === 'not-unique') return ok('entries are made and removed, and an account id is given once');
    return failed('two projects can have one account id: the overlay unique is not there, see packaging/ldap');
  } finally {
    await writer.del(second);
    await writer.del(first);
  }
};

const lookAtList: Look = async (connection, settings) => {
  const filter = settings.userFilter;
  const found = await connection.search({ base: settings.userBase, scope: 'sub', filter, attributes: ['1.1'] });
  const detail = `${found.length} people, whom the server gives all`;
  return found.length > 500 ? ok(detail) : unknown(`${detail}; whether it would give more than 500 can't be seen`);
};

/** What somebody who says no name and no password can read. */
async function lookAsNobody(settings: LdapSettings): Promise<Omit<LdapFinding, 'check'>> {
  const session = await dialUnbound(settings);
  try {
    const found = await session.run((client) =>
      client.search(settings.baseDn, { scope: 'sub', filter: '(objectClass=*)', attributes: ['1.1'], sizeLimit: 1 }),
    );
    const seen = found.searchEntries.length;
    return seen === 0
      ? ok('reads nothing')
      : failed("reads what is in novactl's part: load the rules of packaging/ldap");
  } catch (error) {
    // No such entry, no access, no anonymous access at all: each is well. No answer is not.
    return session.alive ? ok('reads nothing') : failed(errorText(error));
  } finally {
    await session.close();
  }
}

async function reach(settings: LdapSettings): Promise<LdapFinding[]> {
  const server = readLdapServer(settings);
  const how = server.secure ? 'TLS' : settings.startTls ? 'StartTLS' : 'plain, on this machine';
  try {
    const unbound = await dialUnbound(settings);
    await unbound.close();
  } catch (error) {
    return [{ check: 'reachable', ...failed(errorText(error)) }];
  }
  const reached: LdapFinding[] = [
    { check: 'reachable', ...ok(settings.url) },
    { check: 'TLS', ...ok(how) },
  ];
  try {
    await (await dialLdap(settings)).close();
    return [...reached, { check: 'bind', ...ok(settings.bindDn) }];
  } catch (error) {
    return [...reached, { check: 'bind', ...failed(errorText(error)) }];
  }
}

/** Each thing that novactl needs of the directory, asked for with its own account. What comes after a failure to bind is not looked at. */
export async function checkLdap(settings: LdapSettings): Promise<LdapFinding[]> {
  const findings = await reach(settings);
  if (findings.some(({ result }) => result === 'failed')) return findings;
  const connection = new LdapConnection(settings, settings.baseDn);
  const looks: readonly (readonly [string, Look])[] = [
    ['schema', lookAtSchema],
    ['tree', lookAtTree],
    ['indexes', lookAtIndexes],
    ['anonymous', (_, all) => lookAsNobody(all)],
    ['write', lookAtWrites],
    ['limits', lookAtList],
  ];
  try {
    for (const [check, look] of looks) findings.push({ check, ...(await attempt(look, connection, settings)) });
    return findings;
  } finally {
    await connection.close();
  }
}

async function attempt(
  look: Look,
  connection: LdapConnection,
  settings: LdapSettings,
): Promise<Omit<LdapFinding, 'check'>> {
  try {
    return await look(connection, settings);
  } catch (error) {
    if (isCode(error, 'InternalError')) throw error;
    return failed(errorText(error));
  }
}
