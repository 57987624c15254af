import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { Filter, MaxResults, NextToken, ResourceId, Tags } from './fields.ts';

const ResourceIds = z.array(ResourceId).min(1, 'at least one is needed').max(30, 'at most 30 in one call');

export const CreateTags = defineOperation({
  name: 'CreateTags',
  summary: 'set tags of resources, beside those that they have',
  kind: 'unary',
  changes: true,
  access: 'use',
  input: z.strictObject({ ResourceIds, Tags }),
  output: z.object({ operationId: z.string() }),
});

/** A tag that is not there, or has another value than the one that is said, is left alone. */
export const DeleteTags = defineOperation({
  name: 'DeleteTags',
  summary: 'take tags away from resources',
  kind: 'unary',
  changes: true,
  access: 'use',
  input: z.strictObject({
    ResourceIds,
    /** Absent: all of them. */
    Tags: z
      .array(z.strictObject({ Key: z.string().min(1).max(512), Value: z.string().max(512).optional() }))
      .max(1000)
      .optional(),
  }),
  output: z.object({ operationId: z.string() }),
});

export const DescribeTags = defineOperation({
  name: 'DescribeTags',
  summary: 'list tags of what the project has',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    Filters: z.array(Filter).max(20).optional(),
    MaxResults: MaxResults.optional(),
    NextToken: NextToken.optional(),
  }),
  output: z.object({
    tags: z.array(z.object({ resourceId: z.string(), resourceType: z.string(), key: z.string(), value: z.string() })),
    nextToken: z.string().optional(),
    rev: z.int(),
  }),
});
