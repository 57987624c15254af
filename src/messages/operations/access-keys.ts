import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { Name } from './fields.ts';

export const AccessKeyView = z.object({
  accessKeyId: z.string(),
  userName: z.string(),
  projectId: z.string(),
  status: z.enum(['Active', 'Inactive']),
  /** False: its secret was never given out; the next CreateAccessKey for the user gets it. */
  issued: z.boolean(),
  createdAtMs: z.number(),
});

const AccessKeyId = z.string().regex(/^[A-Z0-9]{16,128}$/, 'must be an access key id, like AKIAIOSFODNN7EXAMPLE');

export const CreateAccessKey = defineOperation({
  name: 'CreateAccessKey',
  summary: 'make an access key; its secret is answered once',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  secretAnswer: true,
  input: z.strictObject({
    /** Whose; default: the user admin. */
    UserName: Name.default('admin'),
  }),
  output: z.object({
    accessKey: AccessKeyView,
    secretAccessKey: z.string(),
    /** Of the credential scope that requests are signed for. */
    region: z.string(),
    operationId: z.string(),
  }),
});

export const DescribeAccessKeys = defineOperation({
  name: 'DescribeAccessKeys',
  summary: 'list access keys',
  kind: 'unary',
  changes: false,
  access: 'cloudadmin',
  input: z.strictObject({ UserName: Name.optional() }),
  output: z.object({ accessKeys: z.array(AccessKeyView), rev: z.int() }),
});

export const DeleteAccessKey = defineOperation({
  name: 'DeleteAccessKey',
  summary: 'delete an access key; what it signs is refused from then on',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({ AccessKeyId }),
  output: z.object({ accessKeyId: z.string(), operationId: z.string() }),
});
