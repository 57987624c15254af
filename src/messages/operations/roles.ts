import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { ProjectId, Role, UserName } from './directory-fields.ts';

const grant = {
  Role,
  UserName,
  /** Absent: in the whole cloud, which is for cloudadmin to give. */
  ProjectId: ProjectId.optional(),
};

const changed = z.object({
  userName: z.string(),
  projectId: z.string().optional(),
  /** What the user has there now. */
  roles: z.array(z.string()),
  operationId: z.string(),
});

export const AddRole = defineOperation({
  name: 'AddRole',
  summary: 'give a user a role, in a project or in the whole cloud',
  kind: 'unary',
  changes: true,
  access: 'manager',
  input: z.strictObject(grant),
  output: changed,
});

export const RemoveRole = defineOperation({
  name: 'RemoveRole',
  summary: 'take a role from a user',
  kind: 'unary',
  changes: true,
  access: 'manager',
  input: z.strictObject(grant),
  output: changed,
});

/** Who is no cloudadmin sees those of the project, and their own. */
export const DescribeRoles = defineOperation({
  name: 'DescribeRoles',
  summary: 'list who has which role',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({ UserName: UserName.optional(), ProjectId: ProjectId.optional() }),
  output: z.object({
    roles: z.array(
      z.object({
        userName: z.string(),
        role: z.string(),
        /** Absent: in the whole cloud. */
        projectId: z.string().optional(),
      }),
    ),
    rev: z.int(),
  }),
});

export const CheckRole = defineOperation({
  name: 'CheckRole',
  summary: 'say whether a user has a role',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({ Role, UserName: UserName.optional(), ProjectId: ProjectId.optional() }),
  output: z.object({
    userName: z.string(),
    projectId: z.string(),
    role: z.string(),
    has: z.boolean(),
    /** Where it comes from; absent: they do not have it. */
    from: z.enum(['cloud', 'project']).optional(),
  }),
});

export const GetCallerIdentity = defineOperation({
  name: 'GetCallerIdentity',
  summary: 'say who the caller is',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({}),
  output: z.object({
    name: z.string(),
    /** In the directory; absent: the administrator of the machine. */
    userName: z.string().optional(),
    projectId: z.string(),
    /** Absent: the project is not in the directory. */
    accountId: z.string().optional(),
    /** Roles, manager, member. */
    standings: z.array(z.string()),
    accessKeyId: z.string().optional(),
    from: z.string(),
  }),
});

export const ExplainAccess = defineOperation({
  name: 'ExplainAccess',
  summary: 'say which rule lets somebody call an operation, or does not',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    Operation: z.string().regex(/^\w{1,64}$/, 'must be the name of an operation, like RunInstances'),
    /** Default: the caller. Others are explained to cloudadmins and to the manager of the project. */
    UserName: UserName.optional(),
    /** Default: the caller's. */
    ProjectId: ProjectId.optional(),
  }),
  output: z.object({
    operation: z.string(),
    summary: z.string(),
    rule: z.string(),
    allowed: z.boolean(),
    name: z.string(),
    projectId: z.string(),
    standings: z.array(z.string()),
    /** Which standings pass the rule. */
    passes: z.array(z.string()),
    because: z.array(z.string()),
    next: z.array(z.string()),
  }),
});
