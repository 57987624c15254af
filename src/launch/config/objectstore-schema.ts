import { z } from 'zod';
import { readListen } from './listen.ts';
import { oneOf, whole } from './schema-fields.ts';

export const objectstore = z.strictObject({
  listen: z
    .array(
      z.string().refine((text) => readListen(text) !== undefined, {
        message: 'must be addresses like 10.0.0.1, 10.0.0.1:3333 or [fd00::1]:3333',
      }),
    )
    .max(16, 'must be at most 16 addresses')
    .default([])
    .describe(
      'addresses, each with or without a port, where S3 listens; empty: nowhere. One process of the cloud has the objects',
    ),
  port: whole(0, 65_535).default(3333).describe('TCP port of S3 where objectstore.listen names none'),
  protocol: oneOf('https', 'http')
    .default('https')
    .describe('https: by TLS, with the certificate that the admin API has; http: on loopback addresses only'),
  allowPlaintext: oneOf('off', 'on').default('off').describe('on: http on other addresses than loopback too'),
  domains: z
    .array(
      z
        .string()
        .regex(
          /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
          'must be domain names in lower case',
        ),
    )
    .max(16, 'must be at most 16 domain names')
    .default([])
    .describe(
      'domains below which each bucket has a host name of its own, such as s3.example.org for bucket.s3.example.org',
    ),
  signatureV2: oneOf('off', 'on')
    .default('off')
    .describe('on: requests signed by signature version 2 are taken too, for old clients'),
  dir: z
    .string()
    .regex(/^\/[^\0]*$/, 'must be an absolute path, or empty')
    .or(z.literal('', 'must be an absolute path, or empty'))
    .default('')
    .describe('folder of the objects (mode 0700); empty: the folder objects in the state folder'),
});
