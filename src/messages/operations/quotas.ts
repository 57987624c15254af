import { z } from 'zod';
import { QUOTA_KINDS, QUOTA_LIMIT_MAX } from '../../domain/quota.ts';
import { defineOperation } from './definition.ts';
import { Name } from './fields.ts';

const QuotaRow = z.object({
  kind: z.enum(QUOTA_KINDS),
  used: z.int(),
  /** Absent: unlimited. */
  limit: z.int().optional(),
});

const Limit = z.union(
  [z.int().min(0).max(QUOTA_LIMIT_MAX), z.literal('unlimited'), z.literal('default')],
  `must be a whole number, 0 to ${QUOTA_LIMIT_MAX}, "unlimited" or "default"`,
);

export const DescribeQuotas = defineOperation({
  name: 'DescribeQuotas',
  summary: 'limits of a project, or of a user in it, beside what is in use',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    /** Default: the caller's. */
    ProjectId: Name.optional(),
    UserName: Name.optional(),
    /** Where what is in use is counted; default: the cloud's own. */
    Region: z.string().max(64).optional(),
  }),
  output: z.object({
    projectId: z.string(),
    userName: z.string().optional(),
    /** Absent: the cloud's own. */
    region: z.string().optional(),
    quotas: z.array(QuotaRow),
    rev: z.int(),
  }),
});

export const SetQuota = defineOperation({
  name: 'SetQuota',
  summary: 'limit what a project, or a user in it, may have',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({
    ProjectId: Name.optional(),
    /** The limits of this user in the project, which count beside the project's. */
    UserName: Name.optional(),
    Limits: z
      .partialRecord(z.enum(QUOTA_KINDS), Limit)
      .refine((limits) => Object.keys(limits).length > 0, `must name one of ${QUOTA_KINDS.join(', ')}`),
  }),
  output: z.object({
    projectId: z.string(),
    userName: z.string().optional(),
    quotas: z.array(QuotaRow),
    operationId: z.string(),
  }),
});
