import { CloudError } from '../../base/errors.ts';
import { nearest } from '../../base/nearest.ts';
import { ACCESS_RULES, passesRule, ROLE_NAMES } from '../../domain/access-rules.ts';
import type { OperationDefinition } from '../../messages/operations/definition.ts';
import type { OperationParsed } from '../../messages/operations/index.ts';
import { OPERATIONS } from '../../messages/operations/index.ts';
import { principalOf } from '../users/principal.ts';
import { noProject, noUser } from '../users/directory-views.ts';
import type { Principal, ReadContext, ReadHandler } from './handler.ts';
import { isAdmin, mayUse } from './handler.ts';

export const getCallerIdentity: ReadHandler<'GetCallerIdentity'> = async ({ cloud, principal }) => {
  const { name, userName, projectId, roles, accessKeyId, from } = principal;
  const accountId = (await cloud.directory.project(projectId))?.accountId;
  return {
    ...{ name, projectId, from, standings: [...roles] },
    ...(userName === undefined ? {} : { userName }),
    ...(accountId === undefined ? {} : { accountId }),
    ...(accessKeyId === undefined ? {} : { accessKeyId }),
  };
};

export const explainAccess: ReadHandler<'ExplainAccess'> = async (context, input) => {
  const definition = operationNamed(input.Operation);
  const who = await asked(context, input);
  const { name, projectId, roles, refusal } = who;
  const { access } = definition;
  const passes = ['cloudadmin', ...ACCESS_RULES[access]];
  const allowed = refusal === undefined && passesRule(access, roles);
  const passing = roles.filter((role) => passes.includes(role));
  const standing = roles.length === 0 ? 'nothing' : roles.join(', ');
  return {
    ...{ operation: definition.name, summary: definition.summary, rule: access, allowed, name, projectId },
    standings: [...roles],
    passes,
    because: [
      `${definition.name} is under the rule "${access}": it is for ${passes.join(', ')}`,
      refusal ?? `${name} is ${standing} in project ${projectId}`,
      ...(allowed ? [`${passing.join(', ')} ${passing.length === 1 ? 'passes' : 'pass'} the rule`] : []),
    ],
    next: allowed ? [] : advice(who, passes),
  };
};

interface Asked {
  readonly name: string;
  readonly userName?: string | undefined;
  readonly projectId: string;
  readonly roles: readonly string[];
  /** Why they are let in nowhere. */
  readonly refusal?: string;
}

/** The caller, or somebody whom the caller may ask about. */
async function asked(context: ReadContext, input: OperationParsed<'ExplainAccess'>): Promise<Asked> {
  const { cloud, principal } = context;
  const projectId = input.ProjectId ?? principal.projectId;
  const isSelf = input.UserName === undefined || input.UserName === principal.userName;
  if (isSelf && projectId === principal.projectId) return principal;
  const { UserName: userName = principal.userName } = input;
  if (userName === undefined) return { ...principal, projectId };
  refuseNosy(principal, { userName, projectId, isSelf });
  if ((await cloud.directory.project(projectId)) === undefined) throw noProject(projectId);
  if ((await cloud.directory.user(userName)) === undefined) throw noUser(userName);
  try {
    const { name, roles } = await principalOf(cloud, { userName, projectId, from: principal.from });
    return { name, userName, projectId, roles };
  } catch (error) {
    if (!(error instanceof CloudError) || error.code === 'Unavailable') throw error;
    return { name: userName, userName, projectId, roles: [], refusal: error.message };
  }
}

function refuseNosy(principal: Principal, who: { userName: string; projectId: string; isSelf: boolean }): void {
  if (isAdmin(principal)) return;
  if (!mayUse(principal, who.projectId)) throw noProject(who.projectId);
  if (who.isSelf || principal.roles.includes('manager')) return;
  throw new CloudError(
    'UnauthorizedOperation',
    `UserName: who others are is explained to cloudadmins and to the manager of the project; leave it out to ask about yourself`,
    { details: { rule: 'manager' } },
  );
}

function operationNamed(name: string): OperationDefinition {
  if (Object.hasOwn(OPERATIONS, name)) return OPERATIONS[name as keyof typeof OPERATIONS];
  const near = nearest(name, Object.keys(OPERATIONS));
  throw new CloudError(
    'InvalidParameterValue',
    `Operation: there is no operation ${name}${near === undefined ? '' : `; did you mean ${near}?`}`,
    { details: { parameter: 'Operation' } },
  );
}

function advice({ userName, projectId, refusal }: Asked, passes: readonly string[]): string[] {
  if (refusal !== undefined) return [];
  const roles: readonly string[] = ROLE_NAMES;
  const givable = passes.filter((standing) => roles.includes(standing) && standing !== 'cloudadmin');
  const [role] = givable;
  if (role === undefined) return ['a cloudadmin can do it, or make you one: novactl role add cloudadmin NAME'];
  return [
    `the manager of the project or a cloudadmin can give ${givable.length === 1 ? 'the role' : 'one of the roles'}: novactl role add ${role} ${userName ?? 'NAME'} --project ${projectId}`,
  ];
}
