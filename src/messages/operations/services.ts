import { z } from 'zod';
import { defineOperation } from './definition.ts';

const ServiceName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be the name of a process: 1 to 63 lower-case letters, digits or "-"');

export const ServiceView = z.object({
  /** node.name of the process. */
  serviceId: z.string(),
  roles: z.array(z.string()),
  /**
   * `up`; `starting`; `draining`: it ends, or what it has is moved to others; `disabled`: it gets nothing new; `lost`: it has said nothing for a while;
   * `ended`: neither, after it said that it ends; `unheard`: nobody has heard of it, but somebody has decided something about it.
   */
  state: z.enum(['up', 'starting', 'draining', 'disabled', 'lost', 'ended', 'unheard']),
  /** What an administrator has decided. */
  wanted: z.enum(['enabled', 'disabled', 'draining']),
  reason: z.string().optional(),
  problem: z.string().optional(),
  version: z.string().optional(),
  machine: z.string().optional(),
  pid: z.int().optional(),
  startedAtMs: z.number().optional(),
  /** When it last spoke. */
  lastHelloMs: z.number().optional(),
  /** Its copy of the state; a worker has none. `staleMs`: so far behind, absent: it is not. */
  store: z.object({ engine: z.string(), rev: z.int(), keys: z.int(), staleMs: z.number().optional() }).optional(),
  bus: z.object({ engine: z.string(), waiting: z.int(), handling: z.int() }).optional(),
  /** Hosts that it reconciles (controller). */
  owns: z.int().optional(),
  /** Hosts that it has open (worker). */
  opens: z.int().optional(),
  /** Instances that wait to be looked at (controller). */
  depth: z.int().optional(),
});

export const DescribeServices = defineOperation({
  name: 'DescribeServices',
  summary: "list the cloud's processes as they last spoke of themselves",
  kind: 'unary',
  changes: false,
  access: 'cloudadmin',
  input: z.strictObject({ Services: z.array(ServiceName).max(100).optional() }),
  output: z.object({ services: z.array(ServiceView), rev: z.int() }),
});

const input = z.strictObject({
  Service: ServiceName,
  /** Shown with the process. */
  Reason: z.string().min(1).max(1024).optional(),
});
const output = z.object({ service: ServiceView, operationId: z.string() });
const change = { kind: 'unary', changes: true, whileHeld: true, access: 'cloudadmin', input, output } as const;

export const EnableService = defineOperation({
  name: 'EnableService',
  summary: 'let a process have hosts again',
  ...change,
});

export const DisableService = defineOperation({
  name: 'DisableService',
  summary: 'give a process no more hosts; those it has stay with it',
  ...change,
});

export const DrainService = defineOperation({
  name: 'DrainService',
  summary: 'move the hosts of a process to others',
  ...change,
});
