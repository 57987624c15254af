import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { Name } from './fields.ts';

export const KeyPairView = z.object({
  keyPairId: z.string(),
  keyName: z.string(),
  keyType: z.enum(['ed25519', 'rsa']),
  keyFingerprint: z.string(),
  publicKey: z.string(),
  createdAtMs: z.number(),
});

export const CreateKeyPair = defineOperation({
  name: 'CreateKeyPair',
  summary: 'make a key pair; the private half is answered once and kept nowhere',
  kind: 'unary',
  changes: true,
  access: 'member',
  secretAnswer: true,
  input: z.strictObject({
    KeyName: Name,
    KeyType: z.enum(['ed25519', 'rsa'], 'must be ed25519 or rsa').default('ed25519'),
  }),
  output: z.object({ keyPair: KeyPairView, keyMaterial: z.string(), operationId: z.string() }),
});

export const ImportKeyPair = defineOperation({
  name: 'ImportKeyPair',
  summary: 'register a public key',
  kind: 'unary',
  changes: true,
  access: 'member',
  input: z.strictObject({
    KeyName: Name,
    /** One line in OpenSSH's form. */
    PublicKeyMaterial: z.string().max(16_384),
  }),
  output: z.object({ keyPair: KeyPairView, operationId: z.string() }),
});

export const DescribeKeyPairs = defineOperation({
  name: 'DescribeKeyPairs',
  summary: 'list key pairs',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({ KeyNames: z.array(Name).max(1000).optional() }),
  output: z.object({ keyPairs: z.array(KeyPairView), rev: z.int() }),
});

export const DeleteKeyPair = defineOperation({
  name: 'DeleteKeyPair',
  summary: 'delete a key pair; instances that were started with it keep the public key',
  kind: 'unary',
  changes: true,
  access: 'member',
  input: z.strictObject({ KeyName: Name }),
  output: z.object({ keyName: z.string(), operationId: z.string() }),
});
