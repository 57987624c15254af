import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { CloudError } from '../base/errors.ts';
import { SystemRandom, randomHex, type Random } from '../base/random.ts';
import { newId } from '../base/ids.ts';
import type { Principal } from '../controller/operations/handler.ts';
import type { OperationInput, OperationOutput, UnaryName } from '../messages/operations/index.ts';
import { loadConfig } from './config/load-config.ts';
import type { Config } from './config/schema.ts';
import type { RunningRoles } from './roles/start-roles.ts';
import { serve } from './serve.ts';

const Images = z.array(
  z.strictObject({
    id: z.string().optional(),
    name: z.string(),
    architecture: z.enum(['x86_64', 'arm64']).optional(),
    virtualizationType: z.enum(['hvm', 'paravirtual']).optional(),
    platform: z.literal('windows').optional(),
    rootDeviceName: z.string().optional(),
  }),
);

/** An image that the sandbox begins with. */
export type SandboxImage = z.output<typeof Images>[number];

/** From the text of a file of images. Errors: 'InvalidParameterValue' that names what is wrong. */
export function parseSandboxImages(text: string): readonly SandboxImage[] {
  const parsed = Images.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0] ?? { path: [], message: 'is not what it should be' };
  throw new CloudError('InvalidParameterValue', `${path.join('.') || 'the file'}: ${message}`);
}

export interface AccessKeyPair {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export interface SandboxOptions {
  /** 0: any that is free. */
  readonly ec2Port: number;
  /** 0: any that is free. */
  readonly s3Port: number;
  /** Default: three, and one a zone at least. */
  readonly hosts: number | undefined;
  /** The first is the one that clients get who name none. */
  readonly regions: readonly string[];
  readonly images: readonly SandboxImage[];
  /** The administrator's; default: a random one. */
  readonly accessKey: AccessKeyPair | undefined;
  readonly users: readonly ({ readonly name: string } & AccessKeyPair)[];
  readonly accountId: string | undefined;
  /** Kept there and found again; default: a folder that goes with the process. */
  readonly stateDir: string | undefined;
  readonly version: string;
  readonly signal: AbortSignal;
  readonly writeLog: (line: string) => void;
  readonly onReady: (ready: SandboxReady) => void;
}

export interface SandboxReady extends AccessKeyPair {
  readonly ec2Url: string;
  readonly s3Url: string;
  readonly region: string;
  readonly accountId: string;
  readonly images: readonly { readonly id: string; readonly name: string }[];
  readonly stateDir: string;
  readonly runDir: string;
}

const ZONE_LETTERS = ['a', 'b'];
const HOSTS_LEAST = 3;
/** Guests of a sandbox run nothing: the bytes stand for a disk. */
const DISK_BYTES = 1_048_576;
const ROOT: Principal = { name: 'root@sandbox', projectId: 'admin', roles: ['cloudadmin'], from: 'sandbox' };

/**
 * A cloud to throw away: every role in this process, simulated hosts, the EC2 API and S3 on loopback. Ends with the signal.
 * Errors: those of `serve`; 'InvalidParameterValue' for an image or key that can't be.
 */
export async function runSandbox(options: SandboxOptions): Promise<void> {
  const own = options.stateDir === undefined ? mkdtempSync(join(tmpdir(), 'novactl-sandbox-')) : undefined;
  const stateDir = options.stateDir ?? own ?? '';
  try {
    let begun: Begun | undefined;
    await serve({
      config: sandboxConfig(options, stateDir),
      version: options.version,
      signal: options.signal,
      writeLog: options.writeLog,
      prepare: async (roles) => void (begun = await populate(options, roles)),
      onReady: ({ ec2Urls: [ec2Url], s3Urls: [s3Url] }) => {
        if (begun === undefined || ec2Url === undefined || s3Url === undefined) return;
        const region = options.regions[0] ?? 'nova';
        options.onReady({ ...begun, ec2Url, s3Url, region, stateDir, runDir: join(stateDir, 'run') });
      },
    });
  } finally {
    if (own !== undefined) rmSync(own, { recursive: true, force: true });
  }
}

/** Nothing of the machine's own configuration counts here. */
function sandboxConfig(options: SandboxOptions, stateDir: string): Config {
  const { ec2Port, s3Port, regions, stateDir: kept } = options;
  const { config } = loadConfig({
    env: {},
    readFile: () => undefined,
    flags: {
      stateDir,
      runDir: join(stateDir, 'run'),
      drivers: 'simulated',
      accountId: options.accountId ?? '',
      'store.engine': kept === undefined ? 'memory' : 'file',
      'metadata.listen': 'none',
      'log.level': 'warn',
      'ec2.listen': ['127.0.0.1'],
      'ec2.port': ec2Port,
      'ec2.protocol': 'http',
      'ec2.signatureV2': 'on',
      'objectstore.listen': ['127.0.0.1'],
      'objectstore.port': s3Port,
      'objectstore.protocol': 'http',
      'objectstore.signatureV2': 'on',
      // Where the resolver answers 127.0.0.1 for all of it (RFC 6761).
      'objectstore.domains': ['localhost'],
      ...(regions.length === 0
        ? {}
        : {
            region: regions[0],
            zone: `${regions[0]}a`,
            regions: regions.map((name) => ({ name, zones: ZONE_LETTERS.map((letter) => `${name}${letter}`) })),
          }),
    },
  });
  return config;
}

type Begun = Omit<SandboxReady, 'ec2Url' | 's3Url' | 'region' | 'stateDir' | 'runDir'>;

async function populate(options: SandboxOptions, roles: RunningRoles): Promise<Begun> {
  const random = new SystemRandom();
  const ask = asker(roles, random);
  // Each region gets a host before one gets its second.
  const zones = ZONE_LETTERS.flatMap((letter) => options.regions.map((region) => `${region}${letter}`));
  const wanted = options.hosts ?? Math.max(HOSTS_LEAST, zones.length);
  const { hosts } = await ask('DescribeHosts', {});
  for (let n = hosts.length; n < wanted; n += 1) {
    const name = `host${n + 1}`;
    const zone = zones.length === 0 ? {} : { Zone: zones[n % zones.length] };
    await ask('AddHost', { Name: name, Transport: { kind: 'simulated', name }, ...zone });
  }
  const images = await seedImages(options, roles, ask, random);
  const key = await accessKey(options, ask);
  await addUsers(options, ask);
  const accountId = roles.context?.store.get<{ accountId: string }>('project/admin')?.value.accountId ?? '';
  return { ...key, accountId, images };
}

type Ask = <N extends UnaryName>(name: N, input: OperationInput<N>) => Promise<OperationOutput<N>>;

function asker({ gateway }: RunningRoles, random: Random): Ask {
  return async (name, input) => {
    const meta = { requestId: `sandbox-${randomHex(random, 8)}`, principal: ROOT };
    return (await gateway?.unary(name, input, meta)) as never;
  };
}

async function seedImages(
  { images }: SandboxOptions,
  { blobs }: RunningRoles,
  ask: Ask,
  random: Random,
): Promise<{ id: string; name: string }[]> {
  const known = await ask('DescribeImages', {});
  for (const image of images) {
    if (known.images.some(({ name }) => name === image.name)) continue;
    const key = `upload/${newId('blob', random)}`;
    // No two alike, so that one's removal does not look like the other's.
    const disk = Buffer.alloc(DISK_BYTES);
    disk.write(image.name, 1024);
    disk.writeUInt16BE(0x55aa, 510);
    await blobs.put(key, Readable.from([disk]));
    const made = await ask('RegisterImage', {
      Name: image.name,
      Kind: 'machine',
      BlobKey: key,
      ...(image.id === undefined ? {} : { ImageId: image.id }),
      ...(image.architecture === undefined ? {} : { Architecture: image.architecture }),
      ...(image.virtualizationType === undefined ? {} : { VirtualizationType: image.virtualizationType }),
      ...(image.platform === undefined ? {} : { Platform: image.platform }),
      ...(image.rootDeviceName === undefined ? {} : { RootDeviceName: image.rootDeviceName }),
    });
    await ask('ModifyImageAttribute', { ImageId: made.image.imageId, Public: true });
  }
  const now = await ask('DescribeImages', {});
  return now.images.map(({ imageId, name }) => ({ id: imageId, name }));
}

async function accessKey({ accessKey: given }: SandboxOptions, ask: Ask): Promise<AccessKeyPair> {
  if (given !== undefined) return keyFor(ask, { UserName: 'admin', ProjectId: 'admin' }, given);
  const { accessKey: made, secretAccessKey } = await ask('CreateAccessKey', { UserName: 'admin', ProjectId: 'admin' });
  return { accessKeyId: made.accessKeyId, secretAccessKey };
}

/** A key that a kept sandbox has already stays as it is. */
async function keyFor(
  ask: Ask,
  owner: { readonly UserName: string; readonly ProjectId: string },
  pair: AccessKeyPair,
): Promise<AccessKeyPair> {
  const { accessKeys } = await ask('DescribeAccessKeys', owner);
  if (accessKeys.some(({ accessKeyId }) => accessKeyId === pair.accessKeyId)) return pair;
  await ask('CreateAccessKey', {
    ...owner,
    AccessKeyId: pair.accessKeyId,
    SecretAccessKey: pair.secretAccessKey,
  });
  return pair;
}

/** Each a user, who manages a project of the same name. */
async function addUsers({ users }: SandboxOptions, ask: Ask): Promise<void> {
  const { users: known } = await ask('DescribeUsers', {});
  const { projects } = await ask('DescribeProjects', {});
  for (const { name, ...pair } of users) {
    if (!known.some(({ userName }) => userName === name)) await ask('CreateUser', { UserName: name });
    if (!projects.some(({ projectId }) => projectId === name)) {
      await ask('CreateProject', { ProjectId: name, Manager: name });
    }
    await keyFor(ask, { UserName: name, ProjectId: name }, pair);
  }
}
