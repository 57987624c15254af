import { z } from 'zod';
import { defineOperation } from './definition.ts';

export const RotateMasterKey = defineOperation({
  name: 'RotateMasterKey',
  summary: 'seal every secret anew by another master key',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({
    /** `whole`: all of it, where one process has the state. Otherwise `prepare`, `reseal`, `forget`, with the key file copied to all machines between. */
    Step: z.enum(['whole', 'prepare', 'reseal', 'forget']).default('whole'),
  }),
  output: z.object({
    step: z.enum(['whole', 'prepare', 'reseal', 'forget']),
    /** Names the key that seals: the first 16 hex digits of its SHA-256. */
    masterKeyId: z.string(),
    nextMasterKeyId: z.string().optional(),
    oldMasterKeyIds: z.array(z.string()),
    /** Secrets that were sealed anew. */
    resealed: z.int(),
    operationId: z.string(),
  }),
});
