import { CloudError } from '../../base/errors.ts';
import type { DirectoryChange, DirectoryUser } from '../../domain/directory.ts';
import { DIRECTORY_NAME_RULE, isDirectoryName } from '../../domain/directory-names.ts';
import type { RoleName } from '../../domain/access-rules.ts';
import type { LdapEntry } from './ldap-connection.ts';
import { type FoundUser, newUserEntry, ownUserDn, readFields, readUser, userMark } from './ldap-entries.ts';
import type { LdapProjectChanges } from './ldap-project-changes.ts';
import type { LdapReader } from './ldap-reader.ts';
import { duplicateUser, manages, noUser, notOurs } from './ldap-refusals.ts';
import { NOVA, USER_ATTRIBUTES } from './ldap-schema.ts';
import type { LdapWriter, Part } from './ldap-writer.ts';

type Modify = Extract<DirectoryChange, { kind: 'modify-user' }>;

/**
 * Changes of users. LDAP has no transaction over several entries: what grants comes last and what takes away comes first, so that a crash leaves too
 * little and never too much.
 */
export class LdapUserChanges {
  readonly #reader: LdapReader;
  readonly #writer: LdapWriter;
  readonly #projects: LdapProjectChanges;

  constructor(reader: LdapReader, writer: LdapWriter, projects: LdapProjectChanges) {
    this.#reader = reader;
    this.#writer = writer;
    this.#projects = projects;
  }

  async create(user: DirectoryUser, password = ''): Promise<void> {
    if (!isDirectoryName(user.name)) {
      throw new CloudError('InvalidParameterValue', `UserName: must be ${DIRECTORY_NAME_RULE}`);
    }
    const person = await this.#reader.person(user.name);
    if (person === undefined) return this.#createEntry(user, password);
    if (readUser(person, this.#reader.places) !== undefined) throw duplicateUser(user.name);
    return this.#takeIn(person, user, password);
  }

  async modify({ name, displayName, email, enabled, password }: Modify): Promise<void> {
    const found = await this.#reader.user(name);
    if (found === undefined) throw noUser(name);
    const { attributes } = this.#reader.places;
    if (!found.isOwn) {
      if (password !== undefined) throw notOurs(name, 'the password');
      refuseOthers(name, 'display name', displayName, found.user.displayName);
      refuseOthers(name, 'mail address', email, found.user.email);
    }
    const changed = (field: string, next: string | undefined, now: string | undefined): Part[] =>
      next === undefined || next === (now ?? '') ? [] : [['replace', field, ...(next === '' ? [] : [next])]];
    const parts: Part[] = [
      ...changed(attributes.displayName, displayName, found.user.displayName),
      ...changed(attributes.email, email, found.user.email),
      ...(password === '' ? [['replace', 'userPassword'] as const] : []),
      ...(enabled === undefined ? [] : [['replace', NOVA.enabled, enabled ? 'TRUE' : 'FALSE'] as const]),
    ];
    // The password is what may be refused, so nothing else is changed before.
    if (password !== undefined && password !== '')
      this.#there(name, await this.#writer.setPassword(found.dn, password));
    if (parts.length > 0) this.#there(name, await this.#writer.modify(found.dn, ...parts));
  }

  /** First out of all groups, last the entry: after a crash the same again does the rest. */
  async delete(name: string): Promise<void> {
    if (!isDirectoryName(name)) return;
    const found = await this.#reader.user(name);
    // Whose entry others have removed may be named in groups still.
    const dn = found?.dn ?? ownUserDn(this.#reader.places, name);
    const managed = await this.#reader.managedBy(dn);
    if (managed.length > 0) throw manages(name, managed);
    await this.#projects.removeEverywhere(dn, name);
    if (found === undefined) return;
    await (found.isOwn ? this.#deleteEntry(found) : this.#letGo(found));
    // What was added while this ran.
    await this.#projects.removeEverywhere(dn, name);
  }

  async addRole(name: string, role: RoleName): Promise<void> {
    const found = await this.#reader.user(name);
    if (found === undefined) throw noUser(name);
    if (!found.user.roles.includes(role)) {
      this.#there(name, await this.#writer.modify(found.dn, ['add', NOVA.globalRole, role]));
    }
  }

  async removeRole(name: string, role: RoleName): Promise<void> {
    const found = await this.#reader.user(name);
    if (found === undefined) throw noUser(name);
    if (found.user.roles.includes(role)) await this.#writer.modify(found.dn, ['delete', NOVA.globalRole, role]);
  }

  #there(name: string, written: string): void {
    if (written === 'missing') throw noUser(name);
    if (written === 'not-unique') {
      throw new CloudError(
        'InvalidParameterValue',
        `the directory has one of these values of ${name} elsewhere already`,
      );
    }
  }

  async #createEntry(user: DirectoryUser, password: string): Promise<void> {
    const { places } = this.#reader;
    const dn = ownUserDn(places, user.name);
    const [groups, managed] = [await this.#reader.groupsWith(dn), await this.#reader.managedBy(dn)];
    if (managed.length > 0) throw manages(user.name, managed);
    const hasLeftovers = groups.projects.length + groups.roles.length > 0;
    // While something is to be done yet the user is there and may do nothing.
    const isWhole = !hasLeftovers && password === '';
    const written = await this.#writer.add(dn, newUserEntry({ ...user, enabled: user.enabled && isWhole }, places));
    if (written !== 'done') throw duplicateUser(user.name);
    if (hasLeftovers) await this.#projects.removeEverywhere(dn, user.name);
    if (password !== '') await this.#firstPassword(dn, password);
    if (!isWhole && user.enabled) await this.#writer.modify(dn, ['replace', NOVA.enabled, 'TRUE']);
  }

  async #firstPassword(dn: string, password: string): Promise<void> {
    try {
      await this.#writer.setPassword(dn, password);
    } catch (error) {
      const isRefused = error instanceof CloudError && error.code !== 'Unavailable';
      if (isRefused) await this.#writer.del(dn);
      throw error;
    }
  }

  /** A person whom others have put here becomes a user of the cloud. */
  async #takeIn(person: LdapEntry, user: DirectoryUser, password: string): Promise<void> {
    const [displayName, email] = readFields(person, this.#reader.places);
    if (password !== '') throw notOurs(user.name, 'the password');
    refuseOthers(user.name, 'display name', user.displayName, displayName);
    refuseOthers(user.name, 'mail address', user.email, email);
    const managed = await this.#reader.managedBy(person.dn);
    if (managed.length > 0) throw manages(user.name, managed);
    await this.#projects.removeEverywhere(person.dn, user.name);
    const marks = Object.entries(userMark(user)).map(([name, value]): Part => [
      'replace',
      name,
      ...(typeof value === 'string' ? [value] : value),
    ]);
    const written = await this.#writer.modify(person.dn, ['add', 'objectClass', NOVA.user], ...marks);
    if (written === 'exists') throw duplicateUser(user.name);
    this.#there(user.name, written);
  }

  async #deleteEntry({ dn, user }: FoundUser): Promise<void> {
    if ((await this.#writer.del(dn)) !== 'has-children') return;
    throw new CloudError(
      'UnsupportedOperation',
      `${dn} has entries below it that novactl did not make: move or remove them, then delete user ${user.name} again`,
    );
  }

  /** A person whom others have put here stays, without what is ours. */
  async #letGo({ dn }: FoundUser): Promise<void> {
    const marks = USER_ATTRIBUTES.map((name): Part => ['replace', name]);
    await this.#writer.modify(dn, ['delete', 'objectClass', NOVA.user], ...marks);
  }
}

function refuseOthers(name: string, what: string, next: string | undefined, now: string | undefined): void {
  if (next !== undefined && next !== (now ?? '')) throw notOurs(name, `the ${what}`);
}
