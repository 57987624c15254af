import { ROLE_NAMES, type RoleName } from '../../domain/access-rules.ts';
import type { DirectoryProject, DirectoryUser } from '../../domain/directory.ts';
import { isAccountId, isDirectoryName } from '../../domain/directory-names.ts';
import type { LdapEntry } from './ldap-connection.ts';
import { nameBelow, plainDn } from './ldap-dn.ts';
import { NOVA } from './ldap-schema.ts';
import type { LdapPlaces } from './ldap-settings.ts';

/** Attributes to add, as the client takes them. */
export type NewEntry = Record<string, string | string[]>;

/** A user with where it stands. */
export interface FoundUser {
  readonly dn: string;
  readonly user: DirectoryUser;
  /** novactl made the entry. */
  readonly isOwn: boolean;
}

/** A project whose people are DNs still. */
export interface FoundProject {
  readonly dn: string;
  readonly id: string;
  readonly description?: string;
  readonly accountId: string;
  readonly managerDn: string;
  readonly memberDns: readonly string[];
  readonly createdAtMs: number;
}

/** Who has a role in a project. */
export interface FoundRole {
  readonly dn: string;
  readonly projectId: string;
  readonly role: RoleName;
  readonly memberDns: readonly string[];
}

const valuesOf = ({ attributes }: LdapEntry, name: string): readonly string[] =>
  attributes.get(name.toLowerCase()) ?? [];
const firstOf = (entry: LdapEntry, name: string): string | undefined => valuesOf(entry, name)[0];
const isRole = (text: string): text is RoleName => (ROLE_NAMES as readonly string[]).includes(text);

export const projectsDn = ({ baseDn }: Pick<LdapPlaces, 'baseDn'>): string => `ou=projects,${baseDn}`;
export const projectDn = (places: LdapPlaces, id: string): string => `cn=${id},${projectsDn(places)}`;
export const roleDn = (places: LdapPlaces, id: string, role: RoleName): string => `cn=${role},${projectDn(places, id)}`;
/** Where novactl puts a user whom it makes itself. */
export const ownUserDn = ({ attributes, userBase }: LdapPlaces, name: string): string =>
  `${attributes.name}=${name},${userBase}`;

/** Generalized time (RFC 4517) with milliseconds, UTC. */
export function ldapTime(ms: number): string {
  return new Date(ms).toISOString().replaceAll(/[-:T]/g, '');
}

/** The same back; 0 for what is no such time. Only UTC is read: that is what novactl writes. */
export function readLdapTime(text: string | undefined): number {
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:[.,](\d{1,3})\d*)?Z$/.exec(text ?? '');
  if (match === null) return 0;
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute, second, Number((match[7] ?? '').padEnd(3, '0')));
}

export const userAttributes = ({ attributes }: LdapPlaces): string[] => [
  ...['objectClass', attributes.name, attributes.displayName, attributes.email],
  ...[NOVA.enabled, NOVA.globalRole, NOVA.created, NOVA.ownEntry],
];

export const GROUP_ATTRIBUTES: readonly string[] = [
  ...['objectClass', 'member', 'description', NOVA.accountId, NOVA.projectManager, NOVA.created],
];

/** What the user is called: a person may have several names, of which one alone counts. undefined: none that novactl takes. */
export function nameOfPerson(entry: LdapEntry, { attributes }: LdapPlaces): string | undefined {
  const names = valuesOf(entry, attributes.name)
    .map((name) => name.toLowerCase())
    .filter(isDirectoryName)
    .toSorted();
  const start = `${attributes.name.toLowerCase()}=`;
  return names.find((name) => plainDn(entry.dn).startsWith(`${start}${name},`)) ?? names[0];
}

export const hasClass = (entry: LdapEntry, name: string): boolean =>
  valuesOf(entry, 'objectClass').some((each) => each.toLowerCase() === name.toLowerCase());

/** undefined: a person who is no user of the cloud. What is not said to be enabled is not. */
export function readUser(entry: LdapEntry, places: LdapPlaces): FoundUser | undefined {
  const name = nameOfPerson(entry, places);
  if (name === undefined || !hasClass(entry, NOVA.user)) return undefined;
  const [displayName, email] = readFields(entry, places);
  const user: DirectoryUser = {
    name,
    ...(displayName === undefined ? {} : { displayName }),
    ...(email === undefined ? {} : { email }),
    enabled: firstOf(entry, NOVA.enabled) === 'TRUE',
    roles: valuesOf(entry, NOVA.globalRole).filter(isRole),
    createdAtMs: readLdapTime(firstOf(entry, NOVA.created)),
  };
  return { dn: entry.dn, user, isOwn: firstOf(entry, NOVA.ownEntry) === 'TRUE' };
}

/** Display name and mail address of a person. */
export const readFields = (
  entry: LdapEntry,
  { attributes }: LdapPlaces,
): [displayName: string | undefined, email: string | undefined] => [
  firstOf(entry, attributes.displayName),
  firstOf(entry, attributes.email),
];

/** What makes a person a user of the cloud. */
export function userMark({ enabled, roles, createdAtMs }: DirectoryUser): NewEntry {
  return {
    [NOVA.enabled]: enabled ? 'TRUE' : 'FALSE',
    [NOVA.created]: ldapTime(createdAtMs),
    ...(roles.length === 0 ? {} : { [NOVA.globalRole]: [...new Set(roles)] }),
  };
}

/** The entry of a user whom novactl makes itself. */
export function newUserEntry(user: DirectoryUser, { attributes }: LdapPlaces): NewEntry {
  const { name, displayName = '', email = '' } = user;
  return {
    objectClass: ['top', 'person', 'organizationalPerson', 'inetOrgPerson', NOVA.user],
    // A person must have both; nobody but a reader of the directory sees them.
    ...{ cn: displayName || name, sn: displayName || name, [attributes.name]: name },
    ...(displayName === '' ? {} : { [attributes.displayName]: displayName }),
    ...(email === '' ? {} : { [attributes.email]: email }),
    ...userMark(user),
    [NOVA.ownEntry]: 'TRUE',
  };
}

export interface ProjectDns {
  readonly managerDn: string;
  readonly memberDns: readonly string[];
}

export function newProjectEntry(project: DirectoryProject, { managerDn, memberDns }: ProjectDns): NewEntry {
  const { id, description = '', accountId, createdAtMs } = project;
  return {
    objectClass: ['top', 'groupOfNames', NOVA.project],
    cn: id,
    member: [...new Set([managerDn, ...memberDns])],
    [NOVA.projectManager]: managerDn,
    [NOVA.accountId]: accountId,
    [NOVA.created]: ldapTime(createdAtMs),
    ...(description === '' ? {} : { description }),
  };
}

/** A group of names can't be empty, so a name that is nobody's stands in it always: of an ou, which has no password and no members. */
export function newRoleEntry(places: LdapPlaces, role: RoleName, memberDns: readonly string[]): NewEntry {
  return { objectClass: ['top', 'groupOfNames'], cn: role, member: [projectsDn(places), ...memberDns] };
}

/** undefined: no project of ours. */
export function readProject(entry: LdapEntry, places: LdapPlaces): FoundProject | undefined {
  const id = nameBelow(entry.dn, 'cn', projectsDn(places));
  const [accountId = '', managerDn] = [firstOf(entry, NOVA.accountId), firstOf(entry, NOVA.projectManager)];
  if (id === undefined || !isDirectoryName(id) || !isAccountId(accountId) || managerDn === undefined) return undefined;
  const description = firstOf(entry, 'description');
  return {
    ...{ dn: entry.dn, id, accountId, managerDn, memberDns: valuesOf(entry, 'member') },
    ...(description === undefined ? {} : { description }),
    createdAtMs: readLdapTime(firstOf(entry, NOVA.created)),
  };
}

/** undefined: no role in a project. */
export function readRole(entry: LdapEntry, places: LdapPlaces): FoundRole | undefined {
  const [, projectId] = /^[^,]*,cn=([^,]*),/.exec(plainDn(entry.dn)) ?? [];
  if (projectId === undefined || !isDirectoryName(projectId)) return undefined;
  const role = nameBelow(entry.dn, 'cn', projectDn(places, projectId));
  if (role === undefined || !isRole(role)) return undefined;
  const placeholder = plainDn(projectsDn(places));
  const memberDns = valuesOf(entry, 'member').filter((dn) => plainDn(dn) !== placeholder);
  return { dn: entry.dn, projectId, role, memberDns };
}

/** The project as the port has it. `nameOf` answers undefined for a DN that is no user; roles of who is no member count for nothing. */
export function projectOf(
  found: FoundProject,
  roles: readonly FoundRole[],
  nameOf: (dn: string) => string | undefined,
): DirectoryProject {
  const names = (dns: readonly string[]): string[] => dns.map(nameOf).filter((name) => name !== undefined);
  const members = [...new Set(names(found.memberDns))];
  const held = new Map<string, RoleName[]>();
  for (const { role, memberDns } of roles.filter(({ projectId }) => projectId === found.id)) {
    for (const name of names(memberDns).filter((each) => members.includes(each))) {
      held.set(name, [...(held.get(name) ?? []), role]);
    }
  }
  return {
    id: found.id,
    ...(found.description === undefined ? {} : { description: found.description }),
    accountId: found.accountId,
    // A manager whose entry somebody removed is shown by its DN, which is nobody's name.
    manager: nameOf(found.managerDn) ?? found.managerDn,
    members,
    roles: Object.fromEntries(held),
    createdAtMs: found.createdAtMs,
  };
}
