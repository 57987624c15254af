import { z } from 'zod';
import { defineOperation } from './definition.ts';

const Held = z.object({ sinceMs: z.number(), reason: z.string(), knownRev: z.int(), rev: z.int() });

/** What one host has and the records say. */
const HostDifferences = z.object({
  hostId: z.string(),
  name: z.string(),
  /** Why the host could not be looked at; what follows is then empty. */
  problem: z.string().optional(),
  /** Instances that are recorded here and have no domain. */
  missing: z.array(z.object({ instanceId: z.string(), name: z.string().optional(), state: z.string() })),
  /** Domains that no record knows: made after the backup, or by somebody else. */
  unknown: z.array(z.object({ name: z.string(), uuid: z.string().optional(), power: z.string() })),
  /** Instances whose domain is not as their state says. */
  differs: z.array(
    z.object({ instanceId: z.string(), name: z.string().optional(), state: z.string(), power: z.string() }),
  ),
  /** Instances with work that is recorded as not done: it is done once the state is adopted. */
  work: z.array(z.object({ instanceId: z.string(), name: z.string().optional(), verb: z.string() })),
});

const Counts = z.object({
  hosts: z.int(),
  /** Hosts that could not be looked at. */
  unseen: z.int(),
  missing: z.int(),
  unknown: z.int(),
  differs: z.int(),
  work: z.int(),
});

export const DescribeStateDifferences = defineOperation({
  name: 'DescribeStateDifferences',
  summary: 'say in what the records and the hosts differ',
  kind: 'unary',
  changes: false,
  access: 'cloudadmin',
  input: z.strictObject({}),
  output: z.object({ held: Held.optional(), hosts: z.array(HostDifferences), counts: Counts, rev: z.int() }),
});

/** The cloud goes on with the restored store as it is. */
export const AdoptState = defineOperation({
  name: 'AdoptState',
  summary: 'go on with a store that was restored from an older copy',
  kind: 'unary',
  changes: true,
  whileHeld: true,
  access: 'cloudadmin',
  input: z.strictObject({}),
  output: z.object({ held: Held, counts: Counts, operationId: z.string() }),
});
