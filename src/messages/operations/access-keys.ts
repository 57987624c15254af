import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { Name } from './fields.ts';

const KEY_ID = /^[A-Za-z0-9]{1,128}$/;
const OVERLAP_MAX_SECONDS = 30 * 86_400;

export const AccessKeyView = z.object({
  accessKeyId: z.string(),
  userName: z.string(),
  projectId: z.string(),
  status: z.enum(['Active', 'Inactive', 'Expired']),
  /** False: its secret was never given out; the next CreateAccessKey for the user gets it. */
  issued: z.boolean(),
  createdAtMs: z.number(),
  /** It was rotated: until then it signs beside the one that came in its place. */
  expiresAtMs: z.number().optional(),
  /** To the quarter of an hour; absent: never. */
  lastUsedAtMs: z.number().optional(),
  /** The edge that it was last used on. */
  lastUsedOn: z.string().optional(),
});

const AccessKeyId = z.string().regex(KEY_ID, 'must be an access key id, like AKIAIOSFODNN7EXAMPLE');

const WithSecret = z.object({
  accessKey: AccessKeyView,
  secretAccessKey: z.string(),
  /** Of the credential scope that requests are signed for. */
  region: z.string(),
  operationId: z.string(),
});

export const CreateAccessKey = defineOperation({
  name: 'CreateAccessKey',
  summary: 'make an access key; its secret is answered once',
  kind: 'unary',
  changes: true,
  access: 'member',
  secretAnswer: true,
  input: z.strictObject({
    /** Whose; default: the caller's own (at the socket: of the user admin). Those of others are the cloudadmin's to make. */
    UserName: Name.optional(),
    /** In which project it works; default: the caller's, or the only one that the user is in. */
    ProjectId: Name.optional(),
    /** A pair that others know already, in place of a drawn one: for the cloudadmin, both or none. */
    AccessKeyId: AccessKeyId.optional(),
    SecretAccessKey: z
      .string()
      .regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 printable ASCII characters without spaces')
      .optional(),
  }),
  output: WithSecret,
});

export const DescribeAccessKeys = defineOperation({
  name: 'DescribeAccessKeys',
  summary: 'list access keys',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    /** Default: the caller's own; for the cloudadmin, all. */
    UserName: Name.optional(),
    ProjectId: Name.optional(),
  }),
  output: z.object({ accessKeys: z.array(AccessKeyView), rev: z.int() }),
});

export const UpdateAccessKey = defineOperation({
  name: 'UpdateAccessKey',
  summary: 'disable an access key, or enable it again',
  kind: 'unary',
  changes: true,
  access: 'member',
  input: z.strictObject({ AccessKeyId, Status: z.enum(['Active', 'Inactive']) }),
  output: z.object({ accessKey: AccessKeyView, operationId: z.string() }),
});

export const DeleteAccessKey = defineOperation({
  name: 'DeleteAccessKey',
  summary: 'delete an access key; what it signs is refused from then on',
  kind: 'unary',
  changes: true,
  access: 'member',
  input: z.strictObject({ AccessKeyId }),
  output: z.object({ accessKeyId: z.string(), operationId: z.string() }),
});

export const RotateAccessKey = defineOperation({
  name: 'RotateAccessKey',
  summary: 'make a key in the place of another, which stays good for a while',
  kind: 'unary',
  changes: true,
  access: 'member',
  secretAnswer: true,
  input: z.strictObject({
    AccessKeyId,
    /** So long the old key signs beside the new one. */
    OverlapSeconds: z
      .int('must be a whole number')
      .min(0, `must be 0 to ${OVERLAP_MAX_SECONDS}`)
      .max(OVERLAP_MAX_SECONDS, `must be 0 to ${OVERLAP_MAX_SECONDS} (30 days)`)
      .default(86_400),
  }),
  output: WithSecret.extend({ previous: AccessKeyView }),
});
