import { z } from 'zod';
import { defaultCloudDirs } from '../../base/user-dirs.ts';
import { checkRegions, ec2, regions } from './ec2-schema.ts';
import { directorySchema } from './directory-schema.ts';
import { readListen } from './listen.ts';
import { checkEndpointKeys, objectstore } from './objectstore-schema.ts';
import { name, oneOf, whole } from './schema-fields.ts';

const DAY_MS = 86_400_000;
const system = defaultCloudDirs({}, 0);

const path = z.string().regex(/^\/[^\0]*$/, 'must be an absolute path');
const ratio = z
  .number('must be a number, 0.1 to 64')
  .min(0.1, 'must be a number, 0.1 to 64')
  .max(64, 'must be a number, 0.1 to 64');
/** Dotted quad without leading zeros. */
const ipv4 = z.ipv4('must be an IPv4 address');

function cidrBits(text: string): { address: number; prefix: number } | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(text);
  if (match === null) return undefined;
  const [a, b, c, d, prefix] = match.slice(1).map(Number) as [number, number, number, number, number];
  if (Math.max(a, b, c, d) > 255 || prefix > 32) return undefined;
  return { address: ((a << 24) | (b << 16) | (c << 8) | d) >>> 0, prefix };
}

const fixedRange = z.string().refine(
  (text) => {
    const cidr = cidrBits(text);
    if (cidr === undefined || cidr.prefix < 8 || cidr.prefix > 28) return false;
    return (cidr.address & (2 ** (32 - cidr.prefix) - 1)) === 0;
  },
  { message: 'must be an IPv4 network with a prefix of 8 to 28 and no host bits, like 10.200.0.0/13' },
);

const publicRange = z.string().refine(
  (text) => {
    if (text === '') return true;
    const cidr = cidrBits(text);
    if (cidr === undefined || cidr.prefix < 16 || cidr.prefix > 30) return false;
    return (cidr.address & (2 ** (32 - cidr.prefix) - 1)) === 0;
  },
  { message: 'must be an IPv4 network with a prefix of 16 to 30 and no host bits, like 198.51.100.0/24, or empty' },
);

const network = z
  .strictObject({
    fixedRange: fixedRange.default('10.200.0.0/13').describe('IPv4 network that all project networks are cut from'),
    subnetPrefix: whole(16, 29).default(22).describe('prefix length of one project network'),
    dns: z
      .array(ipv4)
      .max(8, 'must be at most 8 addresses')
      .default([])
      .describe('name servers that guests are given; empty: the host that serves the network'),
    domain: z
      .string()
      .regex(
        /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/,
        'must be a domain name in lower case',
      )
      .default('novalocal')
      .describe("domain of the guests' private host names"),
    publicRange: publicRange
      .default('')
      .describe(
        'IPv4 network that public addresses are taken from; empty: there are none, and of simulated hosts 198.51.100.0/24',
      ),
    mtu: whole(576, 9216).default(1500).describe('largest packet of project networks, in bytes'),
  })
  .superRefine((value, context) => {
    const range = cidrBits(value.fixedRange);
    if (range === undefined || value.subnetPrefix > range.prefix) return;
    context.addIssue({
      code: 'custom',
      path: ['subnetPrefix'],
      message: `must be larger than the prefix of network.fixedRange (${range.prefix})`,
    });
  });

const api = z.strictObject({
  listen: z
    .array(
      z.string().refine((text) => readListen(text) !== undefined, {
        message: 'must be addresses like 10.0.0.1, 10.0.0.1:8774 or [fd00::1]:8774',
      }),
    )
    .max(16, 'must be at most 16 addresses')
    .default([])
    .describe('addresses, each with or without a port, where the admin API listens by TLS; empty: its socket alone'),
  port: whole(0, 65_535).default(8774).describe('TCP port of the admin API where api.listen names none'),
  names: z
    .array(
      z.string().regex(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*|[0-9a-f:]+)$/, {
        message: 'must be host names in lower case, or addresses',
      }),
    )
    .max(32, 'must be at most 32 names')
    .default([])
    .describe("more names and addresses that the admin API's certificate is for"),
});

const scheduler = z.strictObject({
  cpuAllocationRatio: ratio.default(16).describe('virtual CPUs that may be promised for each CPU of a host'),
  memoryAllocationRatio: ratio.default(1).describe('memory that may be promised for each MiB of a host'),
  diskAllocationRatio: ratio.default(1).describe('disk that may be promised for each GiB of a host'),
  reservedMemoryMib: whole(0, 1_048_576).default(512).describe('memory of each host that instances never get, in MiB'),
  reservedDiskGib: whole(0, 1_048_576).default(2).describe('disk of each host that instances never get, in GiB'),
});

const instances = z.strictObject({
  stopTimeoutMs: whole(0, 3_600_000)
    .default(30_000)
    .describe('time that a guest has to shut down before it is switched off, in milliseconds'),
  terminatedKeepMs: whole(0, 30 * DAY_MS)
    .default(3_600_000)
    .describe('time that a terminated instance stays visible, in milliseconds'),
  maxAttempts: whole(1, 100).default(5).describe('tries of one step before an instance is given up'),
});

/** What a process can be. */
export const ROLES = ['api', 'controller', 'objectstore', 'worker'] as const;
export type Role = (typeof ROLES)[number];

/** This very array says that nobody has named roles. */
export const UNNAMED_ROLES: Role[] = [...ROLES];

const optionalFile = path.or(z.literal('', 'must be an absolute path, or empty')).default('');

const etcd = z.strictObject({
  endpoints: z
    .array(
      z
        .string()
        .regex(/^https?:\/\/[^/\s]+:\d{1,5}$/, { message: 'must be addresses like https://etcd1.example.org:2379' }),
    )
    .max(9, 'must be at most 9 addresses')
    .default([])
    .describe('etcd servers; with https the connection is TLS. Plain http is for loopback addresses only'),
  prefix: z
    .string()
    .regex(/^[a-z0-9][a-z0-9/-]{0,62}\/$/, 'must be lower-case letters, digits, "-" and "/", with "/" at the end')
    .default('novactl/')
    .describe("the keys of this cloud begin with it; no other program's may"),
  caFile: optionalFile.describe("authority of the servers' certificates; empty: the system's"),
  certFile: optionalFile.describe('certificate of this client; empty: none'),
  keyFile: optionalFile.describe('its private key'),
});

const rabbitmq = z.strictObject({
  endpoints: z
    .array(
      z
        .string()
        .regex(/^amqps?:\/\/[^/@\s]+:\d{1,5}$/, { message: 'must be addresses like amqps://mq1.example.org:5671' }),
    )
    .max(9, 'must be at most 9 addresses')
    .default([])
    .describe('RabbitMQ servers; with amqps the connection is TLS. Plain amqp is for loopback addresses only'),
  vhost: z
    .string()
    .regex(/^[^\s\0]{1,255}$/, 'must be a name without blanks')
    .default('novactl')
    .describe('virtual host'),
  user: z
    .string()
    .regex(/^[^\s\0]{1,255}$/, 'must be a name without blanks')
    .default('novactl')
    .describe('user'),
  passwordFile: optionalFile.describe('file with its password; empty: none, for certificates'),
  caFile: optionalFile.describe("authority of the servers' certificates; empty: the system's"),
  certFile: optionalFile.describe('certificate of this client; empty: none'),
  keyFile: optionalFile.describe('its private key'),
});

const Keys = z.strictObject({
  region: name.default('nova').describe('name of the region'),
  zone: name.default('nova').describe('availability zone of hosts that are added without one'),
  accountId: z
    .string()
    .regex(/^(\d{12})?$/, 'must be 12 digits, or empty')
    .default('')
    .describe("account id that a new cloud's first project gets, 12 digits; empty: drawn"),
  regions,
  stateDir: path.default(system.stateDir).describe("folder of the cloud's state (mode 0700)"),
  runDir: path.default(system.runDir).describe('folder of the admin socket (mode 0700)'),
  hostDir: path.default('/var/lib/novactl-host').describe('folder on each host for disks, images and ledgers'),
  log: z
    .strictObject({
      level: oneOf('debug', 'info', 'warn', 'error').default('info').describe('least important line that is logged'),
    })
    .prefault({}),
  api: api.prefault({}),
  ec2: ec2.prefault({}),
  network: network.prefault({}),
  metadata: z
    .strictObject({
      port: whole(1, 65_535).default(8775).describe('TCP port of the metadata service, here and on each host'),
      listen: oneOf('loopback', 'none')
        .default('loopback')
        .describe(
          'where it listens on this machine: loopback, for guests of this machine, or none; hosts elsewhere hand it over SSH',
        ),
    })
    .prefault({}),
  scheduler: scheduler.prefault({}),
  images: z
    .strictObject({
      cacheBytes: whole(0, Number.MAX_SAFE_INTEGER)
        .default(0)
        .describe(
          'bytes that image files may take on each host; unused ones go, the least recently used first; 0: as much as is free',
        ),
    })
    .prefault({}),
  instances: instances.prefault({}),
  objectstore: objectstore.prefault({}),
  operations: z
    .strictObject({
      keepMs: whole(60_000, 3650 * DAY_MS)
        .default(30 * DAY_MS)
        .describe('time that records of ended operations are kept, in milliseconds'),
    })
    .prefault({}),
  collect: z
    .strictObject({
      uploadKeepMs: whole(60_000, 365 * DAY_MS)
        .default(DAY_MS)
        .describe('time that bytes are kept which were sent and became no image, in milliseconds'),
      imageCacheKeepMs: whole(60_000, 365 * DAY_MS)
        .default(7 * DAY_MS)
        .describe('time that image files stay on hosts after no image has them any more, in milliseconds'),
    })
    .prefault({}),
  backup: z
    .strictObject({
      dir: path
        .or(z.literal('', 'must be an absolute path, or empty'))
        .default('')
        .describe('folder of backups; empty: the folder backups in the state folder'),
      keep: whole(1, 10_000).default(14).describe('backups that are kept; older ones are removed by the next'),
    })
    .prefault({}),
  store: z
    .strictObject({
      engine: oneOf('file', 'etcd', 'memory')
        .default('file')
        .describe(
          'where the state is kept: in files of this machine, or in etcd for several; memory forgets it at the end and goes with simulated drivers only',
        ),
      etcd: etcd.prefault({}),
    })
    .prefault({}),
  bus: z
    .strictObject({
      engine: oneOf('memory', 'rabbitmq')
        .default('memory')
        .describe('how the parts speak to each other: within one process, or over RabbitMQ'),
      rabbitmq: rabbitmq.prefault({}),
    })
    .prefault({}),
  roles: z
    .array(oneOf(...ROLES))
    .min(1, 'must name at least one role')
    .default(() => UNNAMED_ROLES)
    .describe(
      'what novactl serve does in this process. With store.engine etcd, objectstore has to be named, or objectstore.listen set: one process of the cloud has the objects',
    ),
  node: z
    .strictObject({
      name: name
        .or(z.literal('', 'must be a name in lower case, or empty'))
        .default('')
        .describe("name of this process among the cloud's, kept over restarts; empty: the machine's host name"),
    })
    .prefault({}),
  worker: z
    .strictObject({
      kinds: z
        .array(oneOf('compute', 'network'))
        .min(1, 'must name at least one kind')
        .default(['compute', 'network'])
        .describe('what a worker does for hosts'),
    })
    .prefault({}),
  secretsDir: path
    .or(z.literal('', 'must be an absolute path, or empty'))
    .default('')
    .describe(
      'folder (mode 0700) of what all processes of the cloud share: seal key, SSH key, authority; empty: the state folder. Copied to each machine',
    ),
  blobs: z
    .strictObject({
      dir: path
        .or(z.literal('', 'must be an absolute path, or empty'))
        .default('')
        .describe('folder of image bytes, the same for all processes; empty: the folder blobs in the state folder'),
    })
    .prefault({}),
  metrics: z
    .strictObject({
      listen: z
        .string()
        .refine((text) => text === '' || readListen(text) !== undefined, {
          message: 'must be an address with a port like 127.0.0.1:9773, or empty',
        })
        .default('')
        .describe('address for metrics, liveness and readiness by HTTP, such as 127.0.0.1:9773; empty: none'),
    })
    .prefault({}),
  directory: directorySchema.prefault({}),
  drivers: oneOf('real', 'simulated')
    .default('real')
    .describe('what hosts are driven with; simulated is for tests and trying out'),
});

/**
 * The whole configuration. Every key has a default and a description; man/novactl.yaml.5 and `novactl config show` are made from this.
 * The two folders are the system's here; for a user who is not root the loader puts that user's own in their place.
 */
export const ConfigSchema = Keys.superRefine((config, context) => {
  checkRegions(config, context);
  checkEndpointKeys(config, context);
});

export type Config = z.output<typeof ConfigSchema>;
