import { z } from 'zod';
import { defineOperation } from './definition.ts';
import {
  ClientToken,
  Filter,
  ImageIdOrName,
  InstanceId,
  MaxResults,
  Name,
  NextToken,
  StateReason,
  UserData,
} from './fields.ts';

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
  launchTimeMs: z.number(),
  stateChangedAtMs: z.number(),
  operationId: z.string().optional(),
  /** The store revision that this view is of. */
  rev: z.int(),
});

const InstanceIds = z.array(InstanceId).min(1, 'at least one is needed').max(1000);

const StateChange = z.object({
  instanceId: z.string(),
  previousState: z.enum(INSTANCE_STATES),
  currentState: z.enum(INSTANCE_STATES),
});
const StateChanges = z.object({ instances: z.array(StateChange), operationId: z.string() });

const COUNT = 'must be a whole number, 1 to 100';
const Count = z.int(COUNT).min(1, COUNT).max(100, COUNT);

const launchFields = {
  ImageId: ImageIdOrName,
  InstanceType: Name.default('m1.small'),
  MinCount: Count.default(1),
  MaxCount: Count.default(1),
  KeyName: Name.optional(),
  UserData: UserData.optional(),
  Name: Name.optional(),
};

export const RunInstances = defineOperation({
  name: 'RunInstances',
  summary: 'start new instances of an image',
  kind: 'unary',
  changes: true,
  access: 'member',
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
  access: 'member',
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

const stateOperation = <N extends string, S extends z.ZodRawShape>(name: N, summary: string, extra: S) =>
  defineOperation({
    name,
    summary,
    kind: 'unary',
    changes: true,
    access: 'member',
    input: z.strictObject({ InstanceIds, ...extra }),
    output: StateChanges,
  });

const Force = { Force: z.boolean().optional() };

export const StartInstances = stateOperation('StartInstances', 'start stopped instances', {});
export const StopInstances = stateOperation('StopInstances', 'stop instances; their disks stay', Force);
export const RebootInstances = stateOperation('RebootInstances', 'reboot instances', Force);
export const TerminateInstances = stateOperation('TerminateInstances', 'end instances and delete their disks', {});

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
  access: 'member',
  input: z.strictObject({ InstanceType: Name, ImageId: ImageIdOrName.optional() }),
  output: z.object({ instanceType: z.string(), possible: z.boolean(), hosts: z.array(FilterRow) }),
});
