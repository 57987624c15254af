import { z } from 'zod';
import { QUOTA_KINDS } from '../../domain/quota.ts';
import { defineOperation } from './definition.ts';

export const DescribeAccountAttributes = defineOperation({
  name: 'DescribeAccountAttributes',
  summary: 'say what the project may have, and which network is its own',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({}),
  output: z.object({
    limits: z.record(z.enum(QUOTA_KINDS), z.number()),
    defaultVpcId: z.string(),
    rev: z.int(),
  }),
});
