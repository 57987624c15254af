import { AndFilter, EqualityFilter, type Filter, FilterParser, OrFilter } from 'ldapts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { DirectoryProject } from '../../domain/directory.ts';
import { isDirectoryName } from '../../domain/directory-names.ts';
import type { LdapConnection, LdapEntry } from './ldap-connection.ts';
import { nameBelow, plainDn } from './ldap-dn.ts';
import {
  type FoundProject,
  type FoundRole,
  type FoundUser,
  GROUP_ATTRIBUTES,
  nameOfPerson,
  ownUserDn,
  projectDn,
  projectOf,
  projectsDn,
  readProject,
  readRole,
  readUser,
  userAttributes,
} from './ldap-entries.ts';
import { NOVA } from './ldap-schema.ts';
import type { LdapPlaces } from './ldap-settings.ts';

/** More names than these are asked for by one question instead of one each. */
const SINGLE_QUESTIONS = 8;

const is = (attribute: string, value: string): Filter => new EqualityFilter({ attribute, value });
const all = (...filters: Filter[]): Filter => new AndFilter({ filters });
const present = <T>(found: T | undefined): T[] => (found === undefined ? [] : [found]);

/** Whom directory.userFilter lets in. Errors: 'InvalidParameterValue'. */
export function readUserFilter(text: string): Filter {
  try {
    return FilterParser.parseString(text);
  } catch (error) {
    const why = `directory.userFilter: ${text}: must be an LDAP filter like (objectClass=inetOrgPerson): ${errorText(error)}`;
    throw new CloudError('InvalidParameterValue', why, { cause: error });
  }
}

/** Questions about people and projects. Each throws 'Unavailable' where the directory does not answer, or not clearly. */
export class LdapReader {
  readonly places: LdapPlaces;
  readonly #connection: LdapConnection;
  readonly #people: Filter;

  constructor(connection: LdapConnection, places: LdapPlaces) {
    this.#connection = connection;
    this.places = places;
    this.#people = new OrFilter({ filters: [is(NOVA.ownEntry, 'TRUE'), readUserFilter(places.userFilter)] });
  }

  /** Where an entry of novactl's own for that name would be. */
  ownDn(name: string): string {
    return ownUserDn(this.places, name);
  }

  /** The person of that name, a user of the cloud or not. */
  async person(name: string): Promise<LdapEntry | undefined> {
    if (!isDirectoryName(name)) return undefined;
    const found = await this.#peopleWith(is(this.places.attributes.name, name));
    const named = found.filter((entry) => nameOfPerson(entry, this.places) === name);
    if (named.length > 1) {
      const where = named.map(({ dn }) => dn).join(' and ');
      throw new CloudError(
        'Unavailable',
        `the directory has two people who are called ${name}: ${where}; narrow directory.userFilter`,
      );
    }
    return named[0];
  }

  async user(name: string): Promise<FoundUser | undefined> {
    const entry = await this.person(name);
    return entry && readUser(entry, this.places);
  }

  async users(): Promise<FoundUser[]> {
    const entries = await this.#peopleWith(is('objectClass', NOVA.user));
    return entries.flatMap((entry) => present(readUser(entry, this.places)));
  }

  /** A project with its roles, people as DNs. */
  async found(id: string): Promise<{ project: FoundProject; roles: FoundRole[] } | undefined> {
    if (!isDirectoryName(id)) return undefined;
    const [projects, roles] = await Promise.all([
      this.#projects(all(is('objectClass', NOVA.project), is('cn', id))),
      this.#roles(id),
    ]);
    const project = projects.find((each) => each.id === id);
    return project && { project, roles };
  }

  async project(id: string): Promise<DirectoryProject | undefined> {
    const found = await this.found(id);
    return found && (await this.#named([found.project], found.roles))[0];
  }

  async projects(): Promise<DirectoryProject[]> {
    const entries = await this.#groups(projectsDn(this.places), 'sub', is('objectClass', 'groupOfNames'));
    const projects = entries.flatMap((entry) => present(readProject(entry, this.places)));
    return this.#named(
      projects,
      entries.flatMap((entry) => present(readRole(entry, this.places))),
    );
  }

  async projectsOf(name: string): Promise<DirectoryProject[]> {
    const user = await this.user(name);
    if (user === undefined) return [];
    const projects = await this.#projects(all(is('objectClass', NOVA.project), is('member', user.dn)));
    const roles = await Promise.all(projects.map(({ id }) => this.#roles(id)));
    return this.#named(projects, roles.flat());
  }

  /** Projects with that account, whatever they are called. */
  async projectsWithAccount(accountId: string): Promise<FoundProject[]> {
    return this.#projects(all(is('objectClass', NOVA.project), is(NOVA.accountId, accountId)));
  }

  /** Ids of the projects that the DN manages. */
  async managedBy(dn: string): Promise<string[]> {
    const found = await this.#projects(all(is('objectClass', NOVA.project), is(NOVA.projectManager, dn)));
    return found.map(({ id }) => id).toSorted();
  }

  /** Every group of ours that names the DN. */
  async groupsWith(dn: string): Promise<{ projects: FoundProject[]; roles: FoundRole[] }> {
    const filter = all(is('objectClass', 'groupOfNames'), is('member', dn));
    const entries = await this.#groups(projectsDn(this.places), 'sub', filter);
    return {
      projects: entries.flatMap((entry) => present(readProject(entry, this.places))),
      roles: entries.flatMap((entry) => present(readRole(entry, this.places))),
    };
  }

  /** DNs of all that stands below a project's entry. */
  async below(id: string): Promise<string[]> {
    const filter = '(objectClass=*)';
    const found = await this.#connection.searchBelow({
      ...{ base: projectDn(this.places, id), scope: 'one', filter, attributes: ['1.1'] },
    });
    return found.map(({ dn }) => dn);
  }

  #peopleWith(filter: Filter): Promise<LdapEntry[]> {
    const { userBase } = this.places;
    const attributes = userAttributes(this.places);
    return this.#connection.search({ base: userBase, scope: 'sub', filter: all(filter, this.#people), attributes });
  }

  async #groups(base: string, scope: 'one' | 'sub', filter: Filter): Promise<LdapEntry[]> {
    return this.#connection.search({ base, scope, filter, attributes: GROUP_ATTRIBUTES });
  }

  async #projects(filter: Filter): Promise<FoundProject[]> {
    const entries = await this.#groups(projectsDn(this.places), 'one', filter);
    return entries.flatMap((entry) => present(readProject(entry, this.places)));
  }

  /** None where there is no such project: whether there is one says the question after its entry. */
  async #roles(id: string): Promise<FoundRole[]> {
    const filter = is('objectClass', 'groupOfNames');
    const base = projectDn(this.places, id);
    const entries = await this.#connection.searchBelow({ base, scope: 'one', filter, attributes: GROUP_ATTRIBUTES });
    return entries.flatMap((entry) => present(readRole(entry, this.places)));
  }

  async #named(projects: readonly FoundProject[], roles: readonly FoundRole[]): Promise<DirectoryProject[]> {
    const dns = projects.flatMap(({ managerDn, memberDns }) => [managerDn, ...memberDns]);
    const names = await this.#namesOf(new Set(dns.map(plainDn)));
    return projects.map((found) => projectOf(found, roles, (dn) => names.get(plainDn(dn))));
  }

  /** The name in an entry's own DN is taken without a look, that of other people's entries is read. */
  async #namesOf(dns: ReadonlySet<string>): Promise<Map<string, string>> {
    const { attributes, userBase } = this.places;
    const names = new Map<string, string>();
    const others: string[] = [];
    for (const dn of dns) {
      const name = nameBelow(dn, attributes.name, userBase);
      if (name !== undefined && plainDn(ownUserDn(this.places, name)) === dn) names.set(dn, name);
      else others.push(dn);
    }
    const users = others.length > SINGLE_QUESTIONS ? await this.users() : await this.#usersAt(others);
    for (const { dn, user } of users) names.set(plainDn(dn), user.name);
    return names;
  }

  async #usersAt(dns: readonly string[]): Promise<FoundUser[]> {
    const filter = all(is('objectClass', NOVA.user), this.#people);
    const attributes = userAttributes(this.places);
    const found = await Promise.all(
      dns.map((base) => this.#connection.searchBelow({ base, scope: 'base', filter, attributes })),
    );
    return found.flat().flatMap((entry) => present(readUser(entry, this.places)));
  }
}
