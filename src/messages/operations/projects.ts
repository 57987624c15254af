import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { Line, ProjectId, ProjectView, UserName } from './directory-fields.ts';

const changed = z.object({ project: ProjectView, operationId: z.string() });

export const CreateProject = defineOperation({
  name: 'CreateProject',
  summary: 'make a project',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({
    ProjectId,
    /** Default: the caller, or admin. */
    Manager: UserName.optional(),
    Description: Line.optional(),
    Members: z.array(UserName).max(50).optional(),
    /** Default: drawn. */
    AccountId: z
      .string()
      .regex(/^\d{12}$/, 'must be 12 digits')
      .optional(),
  }),
  output: changed,
});

export const ModifyProject = defineOperation({
  name: 'ModifyProject',
  summary: 'change what a project is described by, or who manages it',
  kind: 'unary',
  changes: true,
  access: 'manager',
  input: z.strictObject({ ProjectId, Description: Line.optional(), Manager: UserName.optional() }),
  output: changed,
});

/** 'InvalidProject.InUse' (details.left) while the project has something that can't go with it. */
export const DeleteProject = defineOperation({
  name: 'DeleteProject',
  summary: 'delete a project',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({
    ProjectId,
    /** Access keys and key pairs of the project are deleted with it. */
    Purge: z.boolean().optional(),
  }),
  output: z.object({ projectId: z.string(), deleted: z.array(z.string()), operationId: z.string() }),
});

/** Who is no cloudadmin sees the projects that they are a member of. */
export const DescribeProjects = defineOperation({
  name: 'DescribeProjects',
  summary: 'list projects',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({ ProjectIds: z.array(ProjectId).max(100).optional() }),
  output: z.object({ projects: z.array(ProjectView), rev: z.int() }),
});

const membership = { ProjectId: ProjectId.optional(), UserName };

export const AddProjectMember = defineOperation({
  name: 'AddProjectMember',
  summary: 'make a user a member of a project',
  kind: 'unary',
  changes: true,
  access: 'manager',
  input: z.strictObject(membership),
  output: changed,
});

export const RemoveProjectMember = defineOperation({
  name: 'RemoveProjectMember',
  summary: 'take a user out of a project, with the roles there',
  kind: 'unary',
  changes: true,
  access: 'manager',
  input: z.strictObject(membership),
  output: changed,
});
