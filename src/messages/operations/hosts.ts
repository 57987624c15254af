import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { HostName, Name } from './fields.ts';

export const HostFactsView = z.object({
  hostname: z.string(),
  architecture: z.string(),
  cpus: z.int(),
  memoryMib: z.int(),
  diskGib: z.int(),
  virtType: z.enum(['kvm', 'qemu']),
  /** Why not kvm, where it is not. */
  virtReason: z.string(),
  hypervisor: z.string(),
  hypervisorVersion: z.string(),
  libvirtVersion: z.string(),
});

export const HostView = z.object({
  hostId: z.string(),
  name: z.string(),
  state: z.enum(['up', 'down', 'maintenance', 'draining']),
  problem: z.string().optional(),
  zone: z.string(),
  roles: z.array(z.string()),
  transport: z.string(),
  facts: HostFactsView,
  usage: z.object({ instances: z.int(), vcpus: z.int(), memoryMib: z.int(), diskGib: z.int() }),
  capacity: z.object({ vcpus: z.int(), memoryMib: z.int(), diskGib: z.int() }),
  /** Domains on the host that no record of this cloud explains. Never touched. */
  orphans: z.array(z.string()),
  lastReportMs: z.number().optional(),
  addedAtMs: z.number(),
});

export const AddHost = defineOperation({
  name: 'AddHost',
  summary: 'add a hypervisor host',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({
    Name: HostName,
    Transport: z.discriminatedUnion(
      'kind',
      [
        z.strictObject({ kind: z.literal('local') }),
        /** Only where the configuration says `drivers: simulated`. */
        z.strictObject({ kind: z.literal('simulated'), name: HostName }),
      ],
      'must be local',
    ),
    /** Default: the zone of the configuration. */
    Zone: Name.optional(),
  }),
  output: z.object({ host: HostView, operationId: z.string() }),
});

export const DescribeHosts = defineOperation({
  name: 'DescribeHosts',
  summary: 'list hosts with their facts, usage and state',
  kind: 'unary',
  changes: false,
  access: 'cloudadmin',
  input: z.strictObject({ Hosts: z.array(z.string().min(1).max(253)).max(1000).optional() }),
  output: z.object({ hosts: z.array(HostView), rev: z.int() }),
});

export const RemoveHost = defineOperation({
  name: 'RemoveHost',
  summary: 'forget a host that has no instances',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({ Host: z.string().min(1).max(253) }),
  output: z.object({ hostId: z.string(), operationId: z.string() }),
});
