import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { Filter, MaxResults, Name, NextToken, OperationId } from './fields.ts';
import { HostView } from './hosts.ts';
import { InstanceView } from './instances.ts';

export const InstanceTypeView = z.object({
  instanceType: z.string(),
  vcpus: z.int(),
  memoryMib: z.int(),
  diskGib: z.int(),
  /** Of hosts in the cloud, so that the type can be had on them. */
  architectures: z.array(z.string()).optional(),
});

export const DescribeInstanceTypes = defineOperation({
  name: 'DescribeInstanceTypes',
  summary: 'list instance types',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    InstanceTypes: z.array(Name).max(100).optional(),
    Filters: z.array(Filter).max(20).optional(),
  }),
  output: z.object({ instanceTypes: z.array(InstanceTypeView), rev: z.int() }),
});

const Step = z.object({
  target: z.string(),
  step: z.string(),
  atMs: z.number(),
  tookMs: z.number().optional(),
  error: z.string().optional(),
  /** While it is under way. */
  progress: z.object({ doneBytes: z.number(), totalBytes: z.number().optional() }).optional(),
});

/** Who did what, when, from where, why and how it ended. */
export const OperationView = z.object({
  operationId: z.string(),
  name: z.string(),
  status: z.enum(['running', 'succeeded', 'failed']),
  principal: z.string(),
  projectId: z.string(),
  from: z.string(),
  reason: z.string().optional(),
  inputDigest: z.string(),
  startedAtMs: z.number(),
  endedAtMs: z.number().optional(),
  targets: z.array(z.string()),
  /** Targets whose work is not done yet. */
  pending: z.array(z.string()),
  steps: z.array(Step),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});

export const DescribeOperations = defineOperation({
  name: 'DescribeOperations',
  summary: 'list operations, the newest first',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    OperationIds: z.array(OperationId).max(1000).optional(),
    MaxResults: MaxResults.optional(),
    NextToken: NextToken.optional(),
  }),
  output: z.object({ operations: z.array(OperationView), nextToken: z.string().optional(), rev: z.int() }),
});

/** Sends the operation as it stands and at every change, until it has ended. */
export const WatchOperation = defineOperation({
  name: 'WatchOperation',
  summary: 'follow an operation until it ends',
  kind: 'stream',
  changes: false,
  access: 'member',
  input: z.strictObject({ OperationId }),
  output: z.object({ operation: OperationView }),
});

export const DescribeCloud = defineOperation({
  name: 'DescribeCloud',
  summary: 'say how the cloud is',
  kind: 'unary',
  changes: false,
  access: 'cloudadmin',
  input: z.strictObject({}),
  output: z.object({
    cloudId: z.string(),
    version: z.string(),
    pid: z.int(),
    startedAtMs: z.number(),
    nowMs: z.number(),
    roles: z.array(z.string()),
    stateDir: z.string(),
    store: z.object({
      engine: z.string(),
      ok: z.boolean(),
      rev: z.int(),
      keys: z.int(),
      problem: z.string().optional(),
      /** What is answered may be this old. */
      staleMs: z.number().optional(),
    }),
    /** Why nothing is changed: the store was restored, and waits for `novactl state adopt`. */
    held: z.string().optional(),
    bus: z.object({ engine: z.string(), deadLetters: z.int() }),
    hosts: z.record(z.string(), z.int()),
    instances: z.record(z.string(), z.int()),
    usage: z.object({ vcpus: z.int(), memoryMib: z.int() }),
    capacity: z.object({ vcpus: z.int(), memoryMib: z.int() }),
    /** What the administrator should look at, most important first. */
    problems: z.array(z.string()),
  }),
});

const FeedHealth = {
  /** What is sent may be this old: the store can't be reached. */
  staleMs: z.number().optional(),
  /** Why nothing is changed: the store was restored, and waits to be adopted. */
  held: z.string().optional(),
};

/**
 * Everything that the caller may see, as it stands and then as it changes. `begin`, any number of `page` and `ready` are a snapshot: what was
 * known before it and is not in it is gone. One comes first, and again (`behind`) when the reader was too slow for the changes. A change is sent
 * as what it left; several of one thing, made while the reader was away, are sent as the last.
 */
export const WatchCloud = defineOperation({
  name: 'WatchCloud',
  summary: 'follow instances, hosts and operations as they change',
  kind: 'stream',
  changes: false,
  access: 'member',
  input: z.strictObject({}),
  output: z.discriminatedUnion('kind', [
    z.object({
      kind: z.literal('begin'),
      reason: z.enum(['start', 'behind']),
      cloudId: z.string(),
      version: z.string(),
      nowMs: z.number(),
      ...FeedHealth,
    }),
    z.object({
      kind: z.literal('page'),
      instances: z.array(InstanceView),
      hosts: z.array(HostView),
      operations: z.array(OperationView),
    }),
    z.object({ kind: z.literal('ready'), rev: z.int() }),
    z.object({ kind: z.literal('instance'), instance: InstanceView }),
    z.object({ kind: z.literal('host'), host: HostView }),
    z.object({ kind: z.literal('operation'), operation: OperationView }),
    z.object({ kind: z.literal('gone'), what: z.enum(['instance', 'host', 'operation']), id: z.string() }),
    /** Nothing changed; the cloud is there. */
    z.object({ kind: z.literal('beat'), nowMs: z.number(), ...FeedHealth }),
  ]),
});
