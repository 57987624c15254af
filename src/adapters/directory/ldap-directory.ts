import type { DirectoryChange, DirectoryProject, DirectoryUser } from '../../domain/directory.ts';
import type { Directory } from '../../ports/directory.ts';
import { LdapConnection } from './ldap-connection.ts';
import { LdapProjectChanges } from './ldap-project-changes.ts';
import { LdapReader } from './ldap-reader.ts';
import { readLdapServer, type LdapSettings } from './ldap-settings.ts';
import { LdapUserChanges } from './ldap-user-changes.ts';
import { LdapWriter } from './ldap-writer.ts';

/**
 * Users and projects in an LDAP directory (docs/adr/0014). Nothing is dialled yet, so a server that is down is no error here. Errors:
 * 'InvalidParameterValue' for settings that can't be.
 */
export function createLdapDirectory(settings: LdapSettings): Directory {
  readLdapServer(settings);
  return new LdapDirectory(settings);
}

class LdapDirectory implements Directory {
  readonly kind = 'ldap';
  readonly #connection: LdapConnection;
  readonly #reader: LdapReader;
  readonly #users: LdapUserChanges;
  readonly #projects: LdapProjectChanges;

  constructor(settings: LdapSettings) {
    this.#connection = new LdapConnection(settings, settings.baseDn);
    this.#reader = new LdapReader(this.#connection, settings);
    const writer = new LdapWriter(this.#connection);
    this.#projects = new LdapProjectChanges(this.#reader, writer);
    this.#users = new LdapUserChanges(this.#reader, writer, this.#projects);
  }

  async user(name: string): Promise<DirectoryUser | undefined> {
    return (await this.#reader.user(name))?.user;
  }

  async users(): Promise<DirectoryUser[]> {
    return (await this.#reader.users()).map(({ user }) => user);
  }

  project(id: string): Promise<DirectoryProject | undefined> {
    return this.#reader.project(id);
  }

  projects(): Promise<DirectoryProject[]> {
    return this.#reader.projects();
  }

  projectsOf(user: string): Promise<DirectoryProject[]> {
    return this.#reader.projectsOf(user);
  }

  async authenticate(name: string, password: string): Promise<boolean> {
    // An empty password is a bind as nobody, which succeeds.
    if (password === '') return false;
    const found = await this.#reader.user(name);
    if (found === undefined || !found.user.enabled) return false;
    return this.#connection.passes(found.dn, password);
  }

  async apply(change: DirectoryChange): Promise<void> {
    switch (change.kind) {
      case 'create-user':
        return this.#users.create(change.user, change.password);
      case 'modify-user':
        return this.#users.modify(change);
      case 'delete-user':
        return this.#users.delete(change.name);
      case 'create-project':
        return this.#projects.create(change.project);
      case 'modify-project':
        return this.#projects.modify(change.id, change);
      case 'delete-project':
        return this.#projects.delete(change.id);
      case 'add-member':
        return this.#projects.addMember(change.projectId, change.user);
      case 'remove-member':
        return this.#projects.removeMember(change.projectId, change.user);
      case 'add-role':
      case 'remove-role':
        return this.#applyRole(change.kind === 'add-role' ? 'addRole' : 'removeRole', change);
    }
  }

  #applyRole(
    verb: 'addRole' | 'removeRole',
    { user, role, projectId }: Extract<DirectoryChange, { kind: 'add-role' | 'remove-role' }>,
  ): Promise<void> {
    return projectId === undefined ? this.#users[verb](user, role) : this.#projects[verb](projectId, user, role);
  }

  problem(): string | undefined {
    return this.#connection.problem;
  }

  close(): Promise<void> {
    return this.#connection.close();
  }
}
