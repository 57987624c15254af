import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { HostName, Name } from './fields.ts';
import { Fingerprint, HostKeyTarget, HostTransportInput } from './host-transport.ts';

const HostIdOrName = z.string().min(1).max(253);

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
  /** Nobody has looked at the host (no daemon runs): `state` is what was recorded. */
  unseen: z.boolean().optional(),
  zone: z.string(),
  roles: z.array(z.string()),
  /** `local`, `simulated`, or `ssh://user@host:port`. */
  transport: z.string(),
  ssh: z
    .object({
      fingerprint: z.string(),
      login: z.string(),
      sudo: z.boolean(),
      jump: z.string().optional(),
      /** The way there: each reached through the one before it, the host last. */
      servers: z.array(
        z.object({
          host: z.string(),
          port: z.int(),
          user: z.string(),
          hostKey: z.object({ type: z.string(), base64: z.string() }),
        }),
      ),
      /** What `login` says in words. */
      access: z.discriminatedUnion('kind', [
        z.object({ kind: z.literal('cloud') }),
        z.object({ kind: z.literal('file'), path: z.string() }),
        z.object({ kind: z.literal('agent'), socket: z.string() }),
      ]),
    })
    .optional(),
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
    Transport: HostTransportInput,
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
  input: z.strictObject({ Hosts: z.array(HostIdOrName).max(1000).optional() }),
  output: z.object({ hosts: z.array(HostView), rev: z.int() }),
});

/** A host that answers is never lost: its instances are terminated first. */
export const RemoveHost = defineOperation({
  name: 'RemoveHost',
  summary: 'forget a host that has no instances, or one that is lost together with them',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({
    Host: HostIdOrName,
    /** The host is gone for good: its instances end as terminated. */
    Lost: z.boolean().optional(),
    /** With Lost: the host's name once more. */
    Confirm: z.string().max(253).optional(),
  }),
  output: z.object({
    hostId: z.string(),
    /** Instances that end with it. */
    instances: z.array(z.string()),
    operationId: z.string(),
  }),
});

export const SetHostState = defineOperation({
  name: 'SetHostState',
  summary: 'let new instances onto a host, or keep them off',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({ Host: HostIdOrName, State: z.enum(['up', 'maintenance'], 'must be up or maintenance') }),
  output: z.object({ host: HostView, operationId: z.string() }),
});

export const SetHostKey = defineOperation({
  name: 'SetHostKey',
  summary: 'pin another SSH host key of a host that was installed anew',
  kind: 'unary',
  changes: true,
  access: 'cloudadmin',
  input: z.strictObject({ Host: HostIdOrName, Fingerprint }),
  output: z.object({ host: HostView, operationId: z.string() }),
});

export const GetHostKey = defineOperation({
  name: 'GetHostKey',
  summary: 'ask a machine for its SSH host key, to compare it before it is trusted',
  kind: 'unary',
  changes: false,
  access: 'cloudadmin',
  /** One of them: of a host of the cloud (what it answers now, and what is pinned), or of another machine. */
  input: z.strictObject({ Host: HostIdOrName.optional(), Server: HostKeyTarget.optional() }),
  output: z.object({
    type: z.string(),
    base64: z.string(),
    fingerprint: z.string(),
    /** Of a host of the cloud: the fingerprint that is pinned. */
    pinned: z.string().optional(),
  }),
});

export const GetCloudKey = defineOperation({
  name: 'GetCloudKey',
  summary: "show the public half of the cloud's own SSH key",
  kind: 'unary',
  changes: false,
  access: 'cloudadmin',
  input: z.strictObject({}),
  output: z.object({ publicKey: z.string() }),
});

const HostCheck = z.object({
  check: z.string(),
  result: z.enum(['ok', 'warn', 'fail']),
  seen: z.string(),
  /** The command, or the sentence, that puts it right. */
  mend: z.string().optional(),
});

export const CheckHost = defineOperation({
  name: 'CheckHost',
  summary: 'look whether a machine has all that a host needs; nothing is changed on it',
  kind: 'unary',
  changes: false,
  access: 'cloudadmin',
  /** One of them: a host of the cloud, or a machine that may become one. */
  input: z.strictObject({ Host: HostIdOrName.optional(), Transport: HostTransportInput.optional() }),
  output: z.object({ checks: z.array(HostCheck), ok: z.boolean() }),
});
