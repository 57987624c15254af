import { z } from 'zod';
import { ObjectsTrouble } from './objects-trouble.ts';

/** What crosses the bus between controller and workers. Every message carries `v`; a receiver refuses what it does not know. */

export const ImageRef = z.object({
  imageId: z.string(),
  blobKey: z.string(),
  sha256: z.string(),
  sizeBytes: z.number(),
  format: z.enum(['raw', 'qcow2', 'kernel', 'ramdisk']),
});
export type ImageRef = z.output<typeof ImageRef>;

/** Everything a worker needs to make an instance: it never reads the store. */
export const InstanceSpec = z.object({
  instanceId: z.string(),
  cloudId: z.string(),
  domainUuid: z.string(),
  vcpus: z.int(),
  memoryMib: z.int(),
  image: ImageRef,
  kernel: ImageRef.optional(),
  ramdisk: ImageRef.optional(),
  kernelArgs: z.string(),
  /** The root disk's size; at least the image's virtual size. */
  diskBytes: z.number(),
  network: z.object({
    networkId: z.string(),
    bridge: z.string(),
    bridgeMac: z.string(),
    cidr: z.string(),
    gateway: z.string(),
    dns: z.array(z.string()),
    domain: z.string(),
    mtu: z.int(),
    metadataPort: z.int(),
  }),
  port: z.object({ tap: z.string(), mac: z.string(), address: z.string(), hostname: z.string() }),
});
export type InstanceSpec = z.output<typeof InstanceSpec>;

/** What an instance learns of itself beside what its specification says. The user data may be a secret. */
export const InstanceSeed = z.object({
  instanceType: z.string(),
  /** OpenSSH lines. */
  publicKeys: z.array(z.string()),
  /** Base64. */
  userData: z.string().optional(),
});
export type InstanceSeed = z.output<typeof InstanceSeed>;

const base = {
  v: z.literal(1),
  commandId: z.string(),
  /** The operation that wanted it; for logs. */
  operationId: z.string().optional(),
  hostId: z.string(),
  epoch: z.int(),
  generation: z.int(),
  spec: InstanceSpec,
};

/** One command with its whole specification; sent again with the same commandId until its outcome is known. */
export const InstanceCommand = z.discriminatedUnion('verb', [
  z.object({
    ...base,
    verb: z.literal('run'),
    /** The instance has run before: a missing disk is then a loss, not something to make anew. */
    hasRun: z.boolean(),
    /** What the guest finds on its seed disk. Absent: it gets none. */
    seed: InstanceSeed.optional(),
  }),
  z.object({ ...base, verb: z.literal('stop'), force: z.boolean(), timeoutMs: z.int() }),
  z.object({ ...base, verb: z.literal('reboot'), force: z.boolean(), timeoutMs: z.int() }),
  z.object({ ...base, verb: z.literal('remove') }),
]);
export type InstanceCommand = z.output<typeof InstanceCommand>;

export const SshServer = z.object({
  host: z.string(),
  port: z.int(),
  user: z.string(),
  hostKey: z.object({ type: z.string(), base64: z.string() }),
});

const SshLogin = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('cloud') }),
  z.object({ kind: z.literal('file'), path: z.string() }),
  z.object({ kind: z.literal('agent'), socket: z.string() }),
]);

export const HostTransport = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('local') }),
  SshServer.extend({
    kind: z.literal('ssh'),
    login: SshLogin,
    sudo: z.boolean(),
    jump: SshServer.optional(),
  }),
  z.object({ kind: z.literal('simulated'), name: z.string() }),
]);

/** Tells a worker to serve a host (again); it answers with a full report. */
export const OpenHost = z.object({
  v: z.literal(1),
  hostId: z.string(),
  epoch: z.int(),
  cloudId: z.string(),
  transport: HostTransport,
  virtType: z.enum(['kvm', 'qemu']),
  /** `observe`: look and read only; the host is not claimed, and no command is taken. */
  mode: z.enum(['serve', 'observe']).default('serve'),
  /** A host record of this cloud that is no more and whose claim on this machine may be taken over. */
  replaces: z.string().optional(),
});
export type OpenHost = z.output<typeof OpenHost>;
/** The answer: reports of this session with a larger seq were made after the question. */
export const OpenedHost = z.object({ session: z.string(), seq: z.int() });

export const CloseHost = z.object({
  v: z.literal(1),
  hostId: z.string(),
  epoch: z.int(),
  /** The host is no host any more: its claim is taken away. */
  release: z.boolean().default(false),
});
export type CloseHost = z.output<typeof CloseHost>;

/** One controller to another: the host is yours, open it (again) now. */
export const OpenHostNow = z.object({ v: z.literal(1), hostId: z.string() });

/** To one controller: are you carrying out what was asked under this id? Answered with true or false. */
export const OperationUnderWay = z.object({ v: z.literal(1), askId: z.string() });

export const ProbeHost = z.object({ v: z.literal(1), transport: HostTransport });

/** Asks for the key by which a machine answers; nobody logs in there (but at the jump host). */
export const FetchHostKey = z.object({
  v: z.literal(1),
  host: z.string(),
  port: z.int(),
  fingerprint: z.string().optional(),
  jump: z.object({ server: SshServer, login: SshLogin }).optional(),
});
export const HostKeyMessage = z.object({ type: z.string(), base64: z.string(), fingerprint: z.string() });
export const CloudKeyMessage = z.object({ publicKey: z.string() });

export const CheckHostMessage = z.object({
  v: z.literal(1),
  transport: HostTransport,
  cloudId: z.string(),
  fixedRange: z.string(),
});
export const HostChecks = z.object({
  checks: z.array(
    z.object({
      check: z.string(),
      result: z.enum(['ok', 'warn', 'fail']),
      seen: z.string(),
      mend: z.string().optional(),
    }),
  ),
});

export const HostFactsMessage = z.object({
  hostname: z.string(),
  architecture: z.enum(['x86_64', 'arm64']),
  cpus: z.int(),
  memoryMib: z.int(),
  diskGib: z.int(),
  virtType: z.enum(['kvm', 'qemu']),
  virtReason: z.string(),
  hypervisor: z.string(),
  hypervisorVersion: z.string(),
  libvirtVersion: z.string(),
  /** IPv4 networks that the host already routes, for the overlap check. */
  routes: z.array(z.string()),
});
export type HostFactsMessage = z.output<typeof HostFactsMessage>;

/** What a probe says beside the facts: the cloud and host record that the machine belongs to already. */
export const ProbedClaim = z.object({ claim: z.object({ cloudId: z.string(), hostId: z.string() }).optional() });

export const ReadConsole = z.object({
  v: z.literal(1),
  hostId: z.string(),
  instanceId: z.string(),
  fromByte: z.int(),
  maxBytes: z.int(),
});
/** Reads the log from a cursor (or tailBytes before its end) and, when nothing is there, waits up to waitMs for it to grow. */
export const FollowConsole = z.object({
  v: z.literal(1),
  hostId: z.string(),
  instanceId: z.string(),
  cursor: z.string().optional(),
  tailBytes: z.int().min(0),
  maxBytes: z.int().min(1),
  waitMs: z.int().min(0).max(30_000),
});
export type FollowConsole = z.output<typeof FollowConsole>;

export const ConsoleLogPart = z.object({
  data: z.string(),
  cursor: z.string(),
  /** Bytes between the cursor and data are gone. */
  skipped: z.boolean(),
  /** There was more than maxBytes. */
  more: z.boolean(),
});
export type ConsoleLogPart = z.output<typeof ConsoleLogPart>;

export const ConsolePart = z.object({ data: z.string(), fromByte: z.int(), nextByte: z.int() });

/** Looks for what is left over on a host, and with `remove` takes away image files that nothing needs and halves of uploads. */
export const CollectHost = z.object({
  v: z.literal(1),
  hostId: z.string(),
  epoch: z.int(),
  remove: z.boolean(),
  /** Image files with these digests are kept. */
  keepSha256: z.array(z.string()),
  /** Every instance that has a record here; when the host has a folder of another, no image file is taken away. */
  instanceIds: z.array(z.string()),
  /** Younger image files are kept. */
  minAgeMs: z.number(),
});
export type CollectHost = z.output<typeof CollectHost>;
export const CollectedHost = z.object({
  /** Paths that were (would be) removed. */
  removed: z.array(z.string()),
  /** Folders of instances that have no record. */
  unknownDirs: z.array(z.string()),
  /** Bridges of ours. */
  bridges: z.array(z.string()),
});
export type CollectedHost = z.output<typeof CollectedHost>;

/** `power` is a PowerState of ports/hypervisor.ts, or `absent`. */
const Fact = z.object({ name: z.string(), uuid: z.string(), power: z.string(), reason: z.string().optional() });
export type Fact = z.output<typeof Fact>;

/**
 * What a worker saw on a host. `seq` grows with every report of a worker session and is taken BEFORE the look, so that a fact
 * with a smaller seq is older. `whole`: every domain of the host is in it; else only those that changed.
 */
export const HostReport = z.object({
  v: z.literal(1),
  hostId: z.string(),
  workerId: z.string(),
  session: z.string(),
  epoch: z.int(),
  seq: z.int(),
  atMs: z.number(),
  up: z.boolean(),
  problem: z.string().optional(),
  /** What is wrong although the host can be worked with. */
  warning: z.string().optional(),
  whole: z.boolean(),
  facts: z.array(Fact),
});
export type HostReport = z.output<typeof HostReport>;

export const StepTime = z.object({
  step: z.string(),
  atMs: z.number(),
  tookMs: z.number().optional(),
  error: z.string().optional(),
});

/** How a command ended; repeated until the controller confirms. */
export const Outcome = z.object({
  v: z.literal(1),
  commandId: z.string(),
  hostId: z.string(),
  session: z.string(),
  epoch: z.int(),
  seq: z.int(),
  instanceId: z.string(),
  generation: z.int(),
  verb: z.enum(['run', 'stop', 'reboot', 'remove']),
  ok: z.boolean(),
  error: z
    .object({ code: z.string(), message: z.string(), step: z.string().optional(), retryable: z.boolean() })
    .optional(),
  /** The domain right after. Absent: gone. */
  fact: Fact.optional(),
  steps: z.array(StepTime),
});
export type Outcome = z.output<typeof Outcome>;

export const Progress = z.object({
  v: z.literal(1),
  commandId: z.string(),
  instanceId: z.string(),
  step: z.string(),
  atMs: z.number(),
});
export type Progress = z.output<typeof Progress>;

export const WorkerHello = z.object({
  v: z.literal(1),
  workerId: z.string(),
  session: z.string(),
  kinds: z.array(z.string()),
  /** Hosts that are open in this session, to be served. */
  open: z.array(z.string()),
  /** Host -> the epoch that its session was opened with; a worker of an older release does not say. */
  epochs: z.record(z.string(), z.int()).default({}),
  /** Hosts that are only looked at. */
  observes: z.array(z.string()).default([]),
  /** It ends soon: its hosts are to go elsewhere. */
  leaving: z.boolean().default(false),
});
export type WorkerHello = z.output<typeof WorkerHello>;

/**
 * Every process says this of itself every few seconds, by fanout on `reports`. It is the whole of what is known about processes; whether a
 * controller may own hosts is not decided by it, but by its lease.
 */
export const ServiceHello = z.object({
  v: z.literal(1),
  serviceId: z.string(),
  session: z.string(),
  roles: z.array(z.string()),
  version: z.string(),
  machine: z.string(),
  pid: z.int(),
  startedAtMs: z.number(),
  atMs: z.number(),
  state: z.enum(['starting', 'ready', 'draining']),
  /** Why it is not well. */
  problem: z.string().optional(),
  objects: ObjectsTrouble.optional(),
  store: z.object({ engine: z.string(), rev: z.int(), keys: z.int(), staleMs: z.number().optional() }).optional(),
  bus: z.object({ engine: z.string(), waiting: z.int(), handling: z.int() }),
  /** Hosts that it reconciles (controller). */
  owns: z.int().optional(),
  /** Hosts that it has open (worker). */
  opens: z.int().optional(),
  /** Instances that wait to be looked at (controller). */
  depth: z.int().optional(),
});
export type ServiceHello = z.output<typeof ServiceHello>;

export const TOPIC = {
  /** Calls that any controller may take: operations, outcomes. */
  controller: 'controller',
  /** Calls for one controller: outcomes of hosts that it owns, and what it is carrying out. */
  controllerOf: (id: string): string => `controller.${id}`,
  /** Calls that any process with the api role may take: metadata for guests. */
  api: 'api',
  /** Calls for the process that has the objects: what images are made of. */
  objects: (id: string): string => `objectstore.${id}`,
  worker: (id: string): string => `worker.${id}`,
  /** Fanout to every controller and api: host reports, progress, hellos. Facts that are repeated, so that one may be lost. */
  reports: 'reports',
} as const;
