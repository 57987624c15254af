import type { RoleName } from '../domain/access-rules.ts';

/** A person or a program that signs requests. Names are 1 to 64 of a-z 0-9 . _ - and begin with a letter or digit. */
export interface DirectoryUser {
  readonly name: string;
  readonly displayName?: string;
  readonly email?: string;
  readonly enabled: boolean;
  /** Roles in the whole cloud. */
  readonly roles: readonly RoleName[];
  readonly createdAtMs: number;
}

export interface DirectoryProject {
  readonly id: string;
  readonly description?: string;
  /** 12 digits, one project alone has them. */
  readonly accountId: string;
  readonly manager: string;
  /** User names, the manager among them. */
  readonly members: readonly string[];
  /** User name -> roles in this project; who has none is left out. */
  readonly roles: Readonly<Record<string, readonly RoleName[]>>;
  readonly createdAtMs: number;
}

/** One change of the directory. Each is in ensure form where it can be: the same again succeeds and changes nothing, but for the two `create`. */
export type DirectoryChange =
  | { readonly kind: 'create-user'; readonly user: DirectoryUser; readonly password?: string }
  | {
      readonly kind: 'modify-user';
      readonly name: string;
      /** What is absent stays. An empty text takes the field away. */
      readonly displayName?: string;
      readonly email?: string;
      readonly enabled?: boolean;
      readonly password?: string;
    }
  | { readonly kind: 'delete-user'; readonly name: string }
  | { readonly kind: 'create-project'; readonly project: DirectoryProject }
  | { readonly kind: 'modify-project'; readonly id: string; readonly description?: string; readonly manager?: string }
  | { readonly kind: 'delete-project'; readonly id: string }
  | { readonly kind: 'add-member' | 'remove-member'; readonly projectId: string; readonly user: string }
  /** Without a project: in the whole cloud. In a project: the user must be its member. */
  | {
      readonly kind: 'add-role' | 'remove-role';
      readonly role: RoleName;
      readonly user: string;
      readonly projectId?: string;
    };

/**
 * Who there is. Never fails open: what can't be asked is 'Unavailable', never "no" and never "yes".
 * Errors of all: 'Unavailable'. Of `apply`: 'InvalidUser.NotFound', 'InvalidProject.NotFound', 'InvalidUser.Duplicate',
 * 'InvalidProject.Duplicate', 'InvalidUser.InUse' (the manager of a project can't be deleted or leave it; details.projects),
 * 'UnsupportedOperation' (a directory of others' people that is only read), 'InvalidParameterValue' (a password that its policy refuses).
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

/** Roles a user has where a project is asked for: the global ones, the project's, and `manager` and `member` as they are so. */
export function standingsOf(user: DirectoryUser, project: DirectoryProject | undefined): string[] {
  const inProject = project === undefined ? [] : (project.roles[user.name] ?? []);
  return [
    ...new Set<string>([
      ...user.roles,
      ...inProject,
      ...(project?.manager === user.name ? ['manager'] : []),
      ...(project?.members.includes(user.name) === true ? ['member'] : []),
    ]),
  ];
}
