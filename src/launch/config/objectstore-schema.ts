import { z } from 'zod';
import { readListen } from './listen.ts';
import { oneOf, whole } from './schema-fields.ts';

const optionalFile = z
  .string()
  .regex(/^\/[^\0]*$/, 'must be an absolute path, or empty')
  .or(z.literal('', 'must be an absolute path, or empty'))
  .default('');

/** What S3 allows, and every endpoint takes. */
const bucketName = z.string().regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket');

/** The S3 of somebody else, in place of this cloud's own. */
const elsewhere = {
  endpoint: z
    .string()
    .regex(/^(https?:\/\/(\[[0-9a-fA-F:]+\]|[^/\s@:]+)(:\d{1,5})?)?$/, {
      message: 'must be an address like https://s3.example.org or https://s3.example.org:9000, or empty',
    })
    .default('')
    .describe(
      'S3 endpoint elsewhere (AWS, Ceph RGW, Garage, MinIO, another novactl) that has the bytes of images and is the object store of the cloud; plain http to loopback only. Empty: this cloud has its own',
    ),
  bucket: bucketName
    .or(z.literal('', 'must be the name of a bucket, or empty'))
    .default('')
    .describe('bucket there for the bytes of images; it must be there'),
  prefix: z
    .string()
    .regex(/^([A-Za-z0-9_-]+\/)*$/, 'must be letters, digits, "-", "_" and "/", with "/" at the end, or empty')
    .max(200, 'must be at most 200 characters')
    .default('novactl/')
    .describe('what the keys of image bytes in that bucket begin with; another one for each cloud'),
  region: z
    .string()
    .regex(/^[a-zA-Z0-9-]{1,64}$/, 'must be the name of a region')
    .default('us-east-1')
    .describe('region that requests to the endpoint are signed for'),
  addressing: oneOf('path', 'virtual')
    .default('path')
    .describe('where the name of a bucket goes: path, or virtual for the host name, as AWS wants it'),
  accessKeyId: z
    .string()
    .regex(/^[^\s\0/,]{0,128}$/, 'must be an access key id without blanks')
    .default('')
    .describe("the cloud's access key id at the endpoint"),
  secretKeyFile: optionalFile.describe('file (mode 0600) with its secret on one line'),
  caFile: optionalFile.describe("authority of the endpoint's certificate; empty: the system's"),
  timeoutMs: whole(100, 600_000)
    .default(30_000)
    .describe('time that the endpoint has for an answer, in milliseconds; for up to 8 MiB of bytes four times of it'),
  importBuckets: z
    .array(bucketName)
    .max(1000, 'must be at most 1000 buckets')
    .default([])
    .describe(
      'buckets at the endpoint that images may be made from by anybody who may register images; a cloudadmin may name any that the key can read',
    ),
};

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
  ...elsewhere,
});

type ObjectStoreKeys = z.output<typeof objectstore>;

/** What has to be there for an endpoint. */
const NEEDED = ['bucket', 'accessKeyId', 'secretKeyFile'] as const satisfies readonly (keyof ObjectStoreKeys)[];

/** An endpoint is whole, and the only object store of the cloud. */
export function checkEndpointKeys(
  { objectstore: keys }: { readonly objectstore: ObjectStoreKeys },
  context: z.RefinementCtx,
): void {
  if (keys.endpoint === '') return;
  const say = (key: keyof ObjectStoreKeys, message: string): void =>
    context.addIssue({ code: 'custom', path: ['objectstore', key], message });
  for (const key of NEEDED) if (keys[key] === '') say(key, 'must be set, since objectstore.endpoint is');
  if (keys.listen.length > 0)
    say('listen', 'must be empty, since objectstore.endpoint is set: a cloud has one object store');
  if (
    keys.endpoint.startsWith('http:') &&
    !/^http:\/\/(127(\.\d{1,3}){3}(:|$)|\[::1\]|localhost(:|$))/.test(keys.endpoint)
  )
    say('endpoint', 'must begin with https:// unless it is on loopback');
}
