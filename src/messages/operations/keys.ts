import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { Filter, KeyName, ResourceId, Tags } from './fields.ts';

const KeyPairId = ResourceId;

export const KeyPairView = z.object({
  keyPairId: z.string(),
  keyName: z.string(),
  keyType: z.enum(['ed25519', 'rsa']),
  keyFingerprint: z.string(),
  publicKey: z.string(),
  tags: Tags.optional(),
  createdAtMs: z.number(),
});

export const CreateKeyPair = defineOperation({
  name: 'CreateKeyPair',
  summary: 'make a key pair; the private half is answered once and kept nowhere',
  kind: 'unary',
  changes: true,
  access: 'use',
  secretAnswer: true,
  input: z.strictObject({
    KeyName,
    KeyType: z.enum(['ed25519', 'rsa'], 'must be ed25519 or rsa').default('ed25519'),
    Tags: Tags.optional(),
  }),
  output: z.object({ keyPair: KeyPairView, keyMaterial: z.string(), operationId: z.string() }),
});

export const ImportKeyPair = defineOperation({
  name: 'ImportKeyPair',
  summary: 'register a public key',
  kind: 'unary',
  changes: true,
  access: 'use',
  input: z.strictObject({
    KeyName,
    /** One line in OpenSSH's form. */
    PublicKeyMaterial: z.string().max(16_384),
    Tags: Tags.optional(),
  }),
  output: z.object({ keyPair: KeyPairView, operationId: z.string() }),
});

export const DescribeKeyPairs = defineOperation({
  name: 'DescribeKeyPairs',
  summary: 'list key pairs',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    KeyNames: z.array(KeyName).max(1000).optional(),
    KeyPairIds: z.array(KeyPairId).max(1000).optional(),
    Filters: z.array(Filter).max(20).optional(),
  }),
  output: z.object({ keyPairs: z.array(KeyPairView), rev: z.int() }),
});

export const DeleteKeyPair = defineOperation({
  name: 'DeleteKeyPair',
  summary: 'delete a key pair; instances that were started with it keep the public key',
  kind: 'unary',
  changes: true,
  access: 'use',
  /** One of the two. */
  input: z.strictObject({ KeyName: KeyName.optional(), KeyPairId: KeyPairId.optional() }),
  output: z.object({ keyName: z.string(), keyPairId: z.string(), operationId: z.string() }),
});
