import { z } from 'zod';
import { defineOperation } from './definition.ts';
import {
  ClientToken,
  Filter,
  ImageIdOrName,
  InstanceId,
  KeyName,
  MaxResults,
  Name,
  NextToken,
  ResourceId,
  StateReason,
  Tags,
  UserData,
} from './fields.ts';
import { SnapshotId, VolumeDevice, VolumeSize, VolumeTypeName } from './volumes.ts';

export const INSTANCE_STATES = ['pending', 'running', 'shutting-down', 'terminated', 'stopping', 'stopped'] as const;

/** One instance as it is described to a user. Times are milliseconds since 1970. */
export const InstanceView = z.object({
  instanceId: z.string(),
  reservationId: z.string(),
  launchIndex: z.int(),
  projectId: z.string(),
  name: z.string().optional(),
  state: z.enum(INSTANCE_STATES),
  stateReason: StateReason.optional(),
  imageId: z.string(),
  kernelId: z.string().optional(),
  ramdiskId: z.string().optional(),
  architecture: z.enum(['x86_64', 'arm64']).optional(),
  platform: z.string().optional(),
  rootDeviceName: z.string().optional(),
  virtualizationType: z.enum(['hvm', 'paravirtual']).optional(),
  clientToken: z.string().optional(),
  disableApiTermination: z.boolean().optional(),
  disableApiStop: z.boolean().optional(),
  shutdownBehavior: z.enum(['stop', 'terminate']).optional(),
  instanceType: z.string(),
  vcpus: z.int(),
  memoryMib: z.int(),
  diskGib: z.int(),
  keyName: z.string().optional(),
  hostId: z.string(),
  hostName: z.string(),
  availabilityZone: z.string(),
  privateIpAddress: z.string(),
  macAddress: z.string(),
  privateDnsName: z.string(),
  networkId: z.string(),
  subnetId: z.string().optional(),
  vpcId: z.string().optional(),
  /** Only where the hosts have groups. */
  securityGroups: z.array(z.object({ groupId: z.string(), groupName: z.string() })).optional(),
  publicIpAddress: z.string().optional(),
  /** Volumes that are attached. */
  blockDevices: z
    .array(
      z.object({
        deviceName: z.string(),
        volumeId: z.string(),
        status: z.string(),
        attachTimeMs: z.number(),
        deleteOnTermination: z.boolean(),
      }),
    )
    .optional(),
  tags: Tags.optional(),
  launchTimeMs: z.number(),
  stateChangedAtMs: z.number(),
  operationId: z.string().optional(),
  /** The store revision that this view is of. */
  rev: z.int(),
});

/** As EC2 words it. */
const STATUSES = ['ok', 'impaired', 'initializing', 'insufficient-data', 'not-applicable'] as const;

const InstanceIds = z.array(InstanceId).min(1, 'at least one is needed').max(1000);

const StateChange = z.object({
  instanceId: z.string(),
  previousState: z.enum(INSTANCE_STATES),
  currentState: z.enum(INSTANCE_STATES),
});
const StateChanges = z.object({ instances: z.array(StateChange), operationId: z.string() });

const COUNT = 'must be a whole number, 1 to 100';
const Count = z.int(COUNT).min(1, COUNT).max(100, COUNT);

const GroupList = z.array(z.string().min(1).max(255)).max(16).optional();
const SHUTDOWN_BEHAVIORS = ['stop', 'terminate'] as const;
const ShutdownBehavior = z.enum(SHUTDOWN_BEHAVIORS, 'must be stop or terminate');

const LaunchVolume = z.strictObject({
  Device: VolumeDevice,
  /** GiB; with SnapshotId the snapshot's, if left out. */
  Size: VolumeSize.optional(),
  SnapshotId: SnapshotId.optional(),
  VolumeType: VolumeTypeName.default('standard'),
  /** Default: it goes with the instance. */
  DeleteOnTermination: z.boolean().default(true),
});

const launchFields = {
  ImageId: ImageIdOrName,
  InstanceType: Name.default('m1.small'),
  MinCount: Count.default(1),
  MaxCount: Count.default(1),
  KeyName: KeyName.optional(),
  UserData: UserData.optional(),
  Name: Name.optional(),
  /** In one of these; default: any. */
  AvailabilityZones: z.array(Name).min(1).max(100).optional(),
  SecurityGroupIds: GroupList,
  SecurityGroups: GroupList,
  /** Default: that of the project's own network. */
  SubnetId: ResourceId.optional(),
  /** Of the only instance. */
  PrivateIpAddress: z.ipv4('must be an IPv4 address').optional(),
  /** In place of the type's. */
  RootDiskGib: z.int().min(1, 'must be 1 to 16384').max(16_384, 'must be 1 to 16384').optional(),
  /** In place of the image's. */
  KernelId: ImageIdOrName.optional(),
  RamdiskId: ImageIdOrName.optional(),
  DisableApiTermination: z.boolean().optional(),
  DisableApiStop: z.boolean().optional(),
  InstanceInitiatedShutdownBehavior: ShutdownBehavior.optional(),
  Tags: Tags.optional(),
  /** Volumes that are made for each instance, and attached when it runs; only where the hosts have volumes. */
  BlockDeviceMapping: z.array(LaunchVolume).max(15, 'at most 15 volumes are made for an instance').optional(),
  /** Of those volumes. */
  VolumeTags: Tags.optional(),
};

export const RunInstances = defineOperation({
  name: 'RunInstances',
  summary: 'start new instances of an image',
  kind: 'unary',
  changes: true,
  access: 'use',
  input: z.strictObject({ ...launchFields, ClientToken: ClientToken.optional() }),
  output: z.object({ reservationId: z.string(), operationId: z.string(), instances: z.array(InstanceView) }),
});

const FilterRow = z.object({
  hostId: z.string(),
  hostName: z.string(),
  /** Absent: the host passes. */
  filter: z.string().optional(),
  reason: z.string().optional(),
  weight: z.number().optional(),
});

export const PlanInstances = defineOperation({
  name: 'PlanInstances',
  summary: 'show where instances would be placed and why, without a change',
  kind: 'unary',
  changes: false,
  // It tells of all hosts.
  access: 'cloudadmin',
  input: z.strictObject(launchFields),
  output: z.object({
    possible: z.boolean(),
    imageId: z.string(),
    instanceType: z.string(),
    placements: z.array(z.object({ launchIndex: z.int(), hostId: z.string(), hostName: z.string() })),
    /** Each host with the first filter that refused it, or its weight, for one more instance of the type. */
    hosts: z.array(FilterRow),
  }),
});

export const DescribeInstances = defineOperation({
  name: 'DescribeInstances',
  summary: 'list instances',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    InstanceIds: z.array(InstanceId).max(1000).optional(),
    Filters: z.array(Filter).max(20).optional(),
    MaxResults: MaxResults.optional(),
    NextToken: NextToken.optional(),
    /** Leave terminated instances out. */
    HideTerminated: z.boolean().optional(),
  }),
  output: z.object({ instances: z.array(InstanceView), nextToken: z.string().optional(), rev: z.int() }),
});

/** Sends each instance as it stands, then again at every change; with Until it ends when all are in one of those states. */
export const WatchInstances = defineOperation({
  name: 'WatchInstances',
  summary: 'follow instances as they change',
  kind: 'stream',
  changes: false,
  access: 'member',
  input: z.strictObject({
    InstanceIds,
    Until: z.array(z.enum(INSTANCE_STATES)).min(1).optional(),
  }),
  output: z.discriminatedUnion('kind', [
    z.object({ kind: z.literal('instance'), instance: InstanceView }),
    z.object({ kind: z.literal('gone'), instanceId: z.string() }),
    z.object({ kind: z.literal('done'), instances: z.array(InstanceView) }),
    /** An awaited state can't be reached any more: which instance and why. */
    z.object({ kind: z.literal('unreachable'), instanceId: z.string(), reason: z.string() }),
  ]),
});

const stateOperation = <N extends string, S extends z.ZodRawShape>(
  name: N,
  summary: string,
  extra: S,
  access: 'use' | 'quarantine' = 'use',
) =>
  defineOperation({
    name,
    summary,
    kind: 'unary',
    changes: true,
    access,
    input: z.strictObject({ InstanceIds, ...extra }),
    output: StateChanges,
  });

const Force = { Force: z.boolean().optional() };

export const StartInstances = stateOperation('StartInstances', 'start stopped instances', {});
export const StopInstances = stateOperation('StopInstances', 'stop instances; their disks stay', Force, 'quarantine');
export const RebootInstances = stateOperation('RebootInstances', 'reboot instances', Force);
export const TerminateInstances = stateOperation('TerminateInstances', 'end instances and delete their disks', {});

/** What the host says of each: whether it answers and whether the domain runs. */
export const DescribeInstanceStatus = defineOperation({
  name: 'DescribeInstanceStatus',
  summary: 'say of instances whether they and their hosts work',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    InstanceIds: z.array(InstanceId).max(1000).optional(),
    Filters: z.array(Filter).max(20).optional(),
    MaxResults: MaxResults.optional(),
    NextToken: NextToken.optional(),
    /** Also those that do not run. */
    IncludeAllInstances: z.boolean().optional(),
  }),
  output: z.object({
    statuses: z.array(
      z.object({
        instanceId: z.string(),
        availabilityZone: z.string(),
        state: z.enum(INSTANCE_STATES),
        /** Of the host, and of the domain on it. */
        system: z.enum(STATUSES),
        instance: z.enum(STATUSES),
        /** Why the host can't be worked with. */
        problem: z.string().optional(),
      }),
    ),
    nextToken: z.string().optional(),
    rev: z.int(),
  }),
});

export const DescribeInstanceAttribute = defineOperation({
  name: 'DescribeInstanceAttribute',
  summary: 'show an instance with its user data',
  kind: 'unary',
  changes: false,
  access: 'use',
  input: z.strictObject({ InstanceId }),
  output: z.object({
    instance: InstanceView,
    /** Base64. */
    userData: z.string().optional(),
  }),
});

/** What is absent stays. Type, kernel, ramdisk and user data can be changed while the instance is stopped; they take effect with its start. */
export const ModifyInstanceAttribute = defineOperation({
  name: 'ModifyInstanceAttribute',
  summary: 'change what an instance is like',
  kind: 'unary',
  changes: true,
  access: 'use',
  input: z.strictObject({
    InstanceId,
    InstanceType: Name.optional(),
    KernelId: ImageIdOrName.optional(),
    RamdiskId: ImageIdOrName.optional(),
    /** Kernel, ramdisk: the image's own again. */
    Reset: z.enum(['kernel', 'ramdisk'], 'must be kernel or ramdisk').optional(),
    /** Empty: none. */
    UserData: UserData.optional(),
    DisableApiTermination: z.boolean().optional(),
    DisableApiStop: z.boolean().optional(),
    /** By device name: whether the volume there goes with the instance. */
    DeleteOnTermination: z.record(z.string().max(64), z.boolean()).optional(),
    InstanceInitiatedShutdownBehavior: ShutdownBehavior.optional(),
    SecurityGroupIds: z.array(z.string().min(1).max(255)).min(1).max(16).optional(),
  }),
  output: z.object({ instance: InstanceView, operationId: z.string() }),
});

export const GetConsoleOutput = defineOperation({
  name: 'GetConsoleOutput',
  summary: "read an instance's serial console log",
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    InstanceId,
    /** Where to begin; negative: that many bytes from the end. Default: the last 64 KiB. */
    FromByte: z.int().optional(),
    MaxBytes: z.int().min(1).max(1_048_576).optional(),
  }),
  output: z.object({
    instanceId: z.string(),
    /** Base64 of the bytes. */
    output: z.string(),
    fromByte: z.int(),
    /** Where the next read goes on. */
    nextByte: z.int(),
  }),
});

export const ExplainInstance = defineOperation({
  name: 'ExplainInstance',
  summary: 'say why an instance is in its state and what happens next',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({ InstanceId }),
  output: z.object({
    instance: InstanceView,
    desired: z.string(),
    generation: z.int(),
    /** The step under way, or the one that failed last. */
    work: z
      .object({
        verb: z.string(),
        attempt: z.int(),
        step: z.string().optional(),
        sinceMs: z.number(),
        notBeforeMs: z.number().optional(),
        lastError: z.string().optional(),
      })
      .optional(),
    host: z.object({ hostId: z.string(), hostName: z.string(), state: z.string(), problem: z.string().optional() }),
    /** What the host says of the domain, and when it said so. */
    observed: z.object({ power: z.string(), reason: z.string().optional(), atMs: z.number() }).optional(),
    /** Sentences, most important first. */
    because: z.array(z.string()),
    next: z.array(z.string()),
  }),
});

export const ExplainPlacement = defineOperation({
  name: 'ExplainPlacement',
  summary: 'say for each host why it would or would not get an instance',
  kind: 'unary',
  changes: false,
  // It tells of all hosts.
  access: 'cloudadmin',
  input: z.strictObject({ InstanceType: Name, ImageId: ImageIdOrName.optional() }),
  output: z.object({ instanceType: z.string(), possible: z.boolean(), hosts: z.array(FilterRow) }),
});
