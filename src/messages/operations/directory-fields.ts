import { z } from 'zod';
import { ROLE_NAMES } from '../../domain/access-rules.ts';
import { DIRECTORY_NAME_RULE, isDirectoryName } from '../../domain/directory-names.ts';

const directoryName = z.string().refine(isDirectoryName, `must be ${DIRECTORY_NAME_RULE}`);

export const UserName = directoryName;
export const ProjectId = directoryName;
export const Role = z.enum(ROLE_NAMES, `must be ${ROLE_NAMES.join(', ')}`);

/** One line of text; empty: takes the field away. */
export const Line = z.string().regex(/^\P{Cc}{0,256}$/u, 'must be one line of at most 256 characters');
export const Email = z.string().regex(/^([^\s@]{1,64}@[^\s@]{1,190})?$/, 'must be an address like anna@example.org');
/** Its rules are those of the directory. No text of a refusal may hold it: what a schema refuses is shown only when it is short. */
export const Password = z.string().max(1024, 'must have at most 1024 characters');

export const UserView = z.object({
  userName: z.string(),
  displayName: z.string().optional(),
  email: z.string().optional(),
  enabled: z.boolean(),
  /** In the whole cloud. */
  roles: z.array(z.string()),
  /** Of which they are a member. */
  projects: z.array(z.string()),
  createdAtMs: z.number(),
});

export const ProjectView = z.object({
  projectId: z.string(),
  description: z.string().optional(),
  accountId: z.string(),
  manager: z.string(),
  members: z.array(z.string()),
  /** User name -> roles in this project. */
  roles: z.record(z.string(), z.array(z.string())),
  createdAtMs: z.number(),
});
