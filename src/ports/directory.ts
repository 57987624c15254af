import type { DirectoryChange, DirectoryProject, DirectoryUser } from '../domain/directory.ts';

export type { DirectoryChange, DirectoryProject, DirectoryUser } from '../domain/directory.ts';
export { standingsOf } from '../domain/directory.ts';

/**
 * Who there is. Never fails open: what can't be asked is 'Unavailable', never "no" and never "yes".
 * What is no name (domain/directory-names.ts) is nobody. Errors of all: 'Unavailable'. Of `apply`: 'InvalidUser.NotFound', 'InvalidProject.NotFound', 'InvalidUser.Duplicate',
 * 'InvalidProject.Duplicate', 'InvalidUser.InUse' (the manager of a project can't be deleted or leave it; details.projects),
 * 'UnsupportedOperation' (a directory of others' people that is only read), 'InvalidParameterValue' (a password that its policy refuses, a name or
 * account id to create that is none).
 */
export interface Directory {
  readonly kind: 'store' | 'ldap';
  user(name: string): Promise<DirectoryUser | undefined>;
  users(): Promise<DirectoryUser[]>;
  project(id: string): Promise<DirectoryProject | undefined>;
  projects(): Promise<DirectoryProject[]>;
  /** Projects that the user is a member of. */
  projectsOf(user: string): Promise<DirectoryProject[]>;
  /** True when the user is enabled and the password is theirs. An empty password is never asked of anybody. */
  authenticate(name: string, password: string): Promise<boolean>;
  apply(change: DirectoryChange): Promise<void>;
  /** undefined: well. */
  problem(): string | undefined;
  close(): Promise<void>;
}
