/** The five roles, as the original had them. A user has each for the whole cloud or in one project. */
export const ROLE_NAMES = ['cloudadmin', 'itsec', 'sysadmin', 'netadmin', 'developer'] as const;
export type RoleName = (typeof ROLE_NAMES)[number];

/** What a principal may be, as the rules see it: a role (global, or in the project asked for), or the manager of the project. */
export type Standing = RoleName | 'manager' | 'member';

/**
 * The one table of who may call what. Every operation names its rule (`access`); a caller passes when one of their standings is in it.
 * `cloudadmin` passes everywhere.
 */
export const ACCESS_RULES = {
  /** Reading what the project has, and what concerns oneself. */
  member: ['member', 'manager', 'sysadmin', 'netadmin', 'developer', 'itsec'],
  /** Instances, key pairs, tags. */
  use: ['manager', 'sysadmin', 'developer'],
  /** Images, volumes, snapshots. */
  sysadmin: ['manager', 'sysadmin'],
  /** Addresses, security groups, networks. */
  netadmin: ['manager', 'netadmin'],
  /** Ending what endangers others: stop, and cut off. */
  quarantine: ['manager', 'sysadmin', 'developer', 'itsec'],
  /** Members and roles of the project. */
  manager: ['manager'],
  /** Looking into every project. */
  inspect: ['itsec'],
  cloudadmin: [],
} as const satisfies Readonly<Record<string, readonly Standing[]>>;

export type AccessRule = keyof typeof ACCESS_RULES;

/** Whether one of the standings passes the rule. */
export function passesRule(rule: AccessRule, standings: readonly string[]): boolean {
  const allowed: readonly string[] = ACCESS_RULES[rule];
  return standings.some((standing) => standing === 'cloudadmin' || allowed.includes(standing));
}
