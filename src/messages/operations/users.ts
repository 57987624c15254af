import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { Email, Line, Password, ProjectId, Role, UserName, UserView } from './directory-fields.ts';

const changed = z.object({ user: UserView, operationId: z.string() });

export const CreateUser = defineOperation({
  name: 'CreateUser',
  summary: 'make a user',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  secretInputs: ['Password'],
  input: z.strictObject({
    UserName,
    DisplayName: Line.optional(),
    Email: Email.optional(),
    Password: Password.optional(),
    /** In the whole cloud. */
    Roles: z.array(Role).max(8).optional(),
    /** Projects that they are made a member of. */
    Projects: z.array(ProjectId).max(20).optional(),
  }),
  output: changed,
});

export const ModifyUser = defineOperation({
  name: 'ModifyUser',
  summary: 'change a user; what a disabled one signs is refused',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  secretInputs: ['Password'],
  input: z.strictObject({
    UserName,
    DisplayName: Line.optional(),
    Email: Email.optional(),
    Enabled: z.boolean().optional(),
    /** Empty: takes it away. */
    Password: Password.optional(),
  }),
  output: changed,
});

/** 'InvalidUser.InUse' (details.left) while they have something and neither ReassignTo nor Purge says what becomes of it. */
export const DeleteUser = defineOperation({
  name: 'DeleteUser',
  summary: 'delete a user',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({
    UserName,
    /** Who manages their projects from then on. Access keys and memberships are deleted. */
    ReassignTo: UserName.optional(),
    /** Access keys and memberships are deleted. */
    Purge: z.boolean().optional(),
  }),
  output: z.object({ userName: z.string(), deletedAccessKeys: z.array(z.string()), operationId: z.string() }),
});

/** Who is no cloudadmin sees the members of the project. */
export const DescribeUsers = defineOperation({
  name: 'DescribeUsers',
  summary: 'list users',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({ UserNames: z.array(UserName).max(100).optional() }),
  output: z.object({ users: z.array(UserView), rev: z.int() }),
});
