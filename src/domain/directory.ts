import type { RoleName } from './access-rules.ts';

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

/** The user's roles in the project itself. A user may be called `constructor`. */
export function rolesIn({ roles }: Pick<DirectoryProject, 'roles'>, name: string): readonly RoleName[] {
  return Object.hasOwn(roles, name) ? (roles[name] ?? []) : [];
}

/**
 * Roles a user has where a project is asked for: the global ones, the project's, and `manager` and `member` as they are so. In a project alone
 * cloudadmin is no more than its manager: it must not open what others have.
 */
export function standingsOf(user: DirectoryUser, project: DirectoryProject | undefined): string[] {
  const inProject = project === undefined ? [] : rolesIn(project, user.name);
  return [
    ...new Set<string>([
      ...user.roles,
      ...inProject.map((role) => (role === 'cloudadmin' ? 'manager' : role)),
      ...(project?.manager === user.name ? ['manager'] : []),
      ...(project?.members.includes(user.name) === true ? ['member'] : []),
    ]),
  ];
}
