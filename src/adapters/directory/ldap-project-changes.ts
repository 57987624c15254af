import { CloudError } from '../../base/errors.ts';
import type { RoleName } from '../../domain/access-rules.ts';
import type { DirectoryProject } from '../../domain/directory.ts';
import { DIRECTORY_NAME_RULE, isAccountId, isDirectoryName } from '../../domain/directory-names.ts';
import { plainDn } from './ldap-dn.ts';
import { type FoundProject, newProjectEntry, newRoleEntry, projectDn, projectsDn, roleDn } from './ldap-entries.ts';
import type { LdapReader } from './ldap-reader.ts';
import { duplicateProject, manages, noMember, noProject, noUser, raced } from './ldap-refusals.ts';
import { NOVA } from './ldap-schema.ts';
import type { LdapWriter, Part } from './ldap-writer.ts';

/** A change that others were faster than is decided again so many times. */
const ATTEMPTS = 16;

const sameDn = (a: string, b: string): boolean => plainDn(a) === plainDn(b);
const has = (dns: readonly string[], dn: string): boolean => dns.some((each) => sameDn(each, dn));

/** In a modification: only if the manager is still the one that was read. Else the server answers "no such value". */
const managerStill = ({ managerDn }: FoundProject): Part[] => [
  ['delete', NOVA.projectManager, managerDn],
  ['add', NOVA.projectManager, managerDn],
];

/** Changes of projects, their members and roles. The order of the steps is that of LdapUserChanges. */
export class LdapProjectChanges {
  readonly #reader: LdapReader;
  readonly #writer: LdapWriter;

  constructor(reader: LdapReader, writer: LdapWriter) {
    this.#reader = reader;
    this.#writer = writer;
  }

  async create(project: DirectoryProject): Promise<void> {
    const { id, accountId, manager, members, roles } = project;
    if (!isDirectoryName(id)) throw bad(`ProjectId: must be ${DIRECTORY_NAME_RULE}`);
    if (!isAccountId(accountId)) throw bad(`AccountId: ${accountId}: must be 12 digits`);
    await this.#refuseDuplicate(id, accountId);
    const people = [...new Set([manager, ...members])];
    const dns = new Map(await Promise.all(people.map(async (name) => [name, await this.#dnOf(name)] as const)));
    const dnsOf = (names: readonly string[]): string[] => names.map((name) => dns.get(name) ?? '');
    for (const name of Object.keys(roles)) if (!dns.has(name)) throw noMember(name, id);
    const [managerDn = ''] = dnsOf([manager]);
    const { places } = this.#reader;
    const entry = newProjectEntry(project, { managerDn, memberDns: dnsOf(members) });
    const written = await this.#writer.add(projectDn(places, id), entry);
    if (written === 'exists') throw duplicateProject(id, `there is a project ${id} already`);
    if (written === 'not-unique') throw duplicateProject(id, `another project has the account id ${accountId}`);
    if (written === 'missing') throw this.#noTree();
    for (const [role, holders] of byRole(roles)) {
      await this.#writer.add(roleDn(places, id, role), newRoleEntry(places, role, dnsOf(holders)));
    }
  }

  async modify(id: string, { description, manager }: { description?: string; manager?: string }): Promise<void> {
    const managerDn = manager === undefined ? undefined : await this.#dnOf(manager);
    await this.#again(`project ${id}`, async () => {
      const { project } = await this.#found(id);
      const parts: Part[] = [];
      if (description !== undefined && description !== (project.description ?? '')) {
        parts.push(['replace', 'description', ...(description === '' ? [] : [description])]);
      }
      if (managerDn !== undefined && !sameDn(managerDn, project.managerDn)) {
        const isMember = has(project.memberDns, managerDn);
        // A member is taken out and put in again, so that it fails where they have left meanwhile.
        if (isMember) parts.push(['delete', 'member', managerDn]);
        parts.push(['add', 'member', managerDn]);
        parts.push(['delete', NOVA.projectManager, project.managerDn], ['add', NOVA.projectManager, managerDn]);
      }
      return parts.length === 0 || (await this.#writer.modify(project.dn, ...parts)) === 'done';
    });
  }

  /** Its roles first: after a crash the same again does the rest. */
  async delete(id: string): Promise<void> {
    if (!isDirectoryName(id)) return;
    await this.#again(`project ${id}`, async () => {
      for (const dn of await this.#reader.below(id)) await this.#writer.del(dn);
      return (await this.#writer.del(projectDn(this.#reader.places, id))) !== 'has-children';
    });
  }

  async addMember(id: string, name: string): Promise<void> {
    const { project, roles } = await this.#found(id);
    const dn = await this.#dnOf(name);
    if (has(project.memberDns, dn)) return;
    // Roles that a crash has left behind must not come back with the member.
    for (const role of roles) if (has(role.memberDns, dn)) await this.#writer.modify(role.dn, ['delete', 'member', dn]);
    if ((await this.#writer.modify(project.dn, ['add', 'member', dn])) === 'missing') throw noProject(id);
  }

  async removeMember(id: string, name: string): Promise<void> {
    const found = await this.#found(id);
    const dn = await this.#memberDn(found.project, name);
    if (dn === undefined) return;
    await this.#removeMember(id, dn, name);
  }

  async addRole(id: string, name: string, role: RoleName): Promise<void> {
    const { project, roles } = await this.#found(id);
    const dn = await this.#dnOf(name);
    if (!has(project.memberDns, dn)) throw noMember(name, id);
    if (roles.some((each) => each.role === role && has(each.memberDns, dn))) return;
    const { places } = this.#reader;
    const group = roleDn(places, id, role);
    await this.#again(`role ${role} in ${id}`, async () => {
      if ((await this.#writer.modify(group, ['add', 'member', dn])) !== 'missing') return true;
      const made = await this.#writer.add(group, newRoleEntry(places, role, [dn]));
      if (made === 'missing') throw noProject(id);
      return made === 'done';
    });
  }

  async removeRole(id: string, name: string, role: RoleName): Promise<void> {
    const { project } = await this.#found(id);
    const dn = await this.#memberDn(project, name);
    if (dn !== undefined) await this.#writer.modify(roleDn(this.#reader.places, id, role), ['delete', 'member', dn]);
  }

  /** Out of every group of ours, roles first. Errors: 'InvalidUser.InUse' where the DN manages one. */
  async removeEverywhere(dn: string, name: string): Promise<void> {
    const { projects, roles } = await this.#reader.groupsWith(dn);
    for (const role of roles) await this.#writer.modify(role.dn, ['delete', 'member', dn]);
    for (const { id } of projects) await this.#removeMember(id, dn, name);
  }

  async #removeMember(id: string, dn: string, name: string): Promise<void> {
    await this.#again(`project ${id}`, async () => {
      const found = await this.#reader.found(id);
      if (found === undefined || !has(found.project.memberDns, dn)) return true;
      if (sameDn(found.project.managerDn, dn)) throw manages(name, [id]);
      for (const role of found.roles) {
        if (has(role.memberDns, dn)) await this.#writer.modify(role.dn, ['delete', 'member', dn]);
      }
      const parts: Part[] = [['delete', 'member', dn], ...managerStill(found.project)];
      return (await this.#writer.modify(found.project.dn, ...parts)) === 'done';
    });
  }

  async #refuseDuplicate(id: string, accountId: string): Promise<void> {
    if ((await this.#reader.found(id)) !== undefined) throw duplicateProject(id, `there is a project ${id} already`);
    const [other] = await this.#reader.projectsWithAccount(accountId);
    if (other !== undefined) throw duplicateProject(id, `project ${other.id} has the account id ${accountId}`);
  }

  async #dnOf(name: string): Promise<string> {
    const found = await this.#reader.user(name);
    if (found === undefined) throw noUser(name);
    return found.dn;
  }

  /** Where the name stands in the project; undefined: a user who is no member. Errors: 'InvalidUser.NotFound' for a name that nobody has. */
  async #memberDn(project: FoundProject, name: string): Promise<string | undefined> {
    const user = await this.#reader.user(name);
    const dn = user?.dn ?? (isDirectoryName(name) ? this.#reader.ownDn(name) : '');
    if (has(project.memberDns, dn)) return dn;
    if (user === undefined) throw noUser(name);
    return undefined;
  }

  async #found(id: string): Promise<NonNullable<Awaited<ReturnType<LdapReader['found']>>>> {
    const found = await this.#reader.found(id);
    if (found === undefined) throw noProject(id);
    return found;
  }

  async #again(what: string, attempt: () => Promise<boolean>): Promise<void> {
    for (let count = 0; count < ATTEMPTS; count += 1) if (await attempt()) return;
    throw raced(what);
  }

  #noTree(): CloudError {
    return new CloudError(
      'UnsupportedOperation',
      `${projectsDn(this.#reader.places)} is not there; see "novactl directory init"`,
    );
  }
}

const bad = (message: string): CloudError => new CloudError('InvalidParameterValue', message);

function byRole(roles: DirectoryProject['roles']): Map<RoleName, string[]> {
  const holders = new Map<RoleName, string[]>();
  for (const [name, held] of Object.entries(roles)) {
    for (const role of held) holders.set(role, [...(holders.get(role) ?? []), name]);
  }
  return holders;
}
