import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { ClientToken, Filter, InstanceId, Tags } from './fields.ts';

const PublicIp = z.ipv4('must be an IPv4 address');
const AllocationId = z
  .string()
  .regex(/^eipalloc-([0-9a-f]{8}|[0-9a-f]{17})$/, 'must look like eipalloc-0123456789abcdef0 (17 hex digits)');
const AssociationId = z
  .string()
  .regex(/^eipassoc-([0-9a-f]{8}|[0-9a-f]{17})$/, 'must look like eipassoc-0123456789abcdef0 (17 hex digits)');

export const AddressView = z.object({
  publicIp: z.string(),
  allocationId: z.string(),
  projectId: z.string(),
  domain: z.enum(['vpc', 'standard']),
  instanceId: z.string().optional(),
  associationId: z.string().optional(),
  privateIpAddress: z.string().optional(),
  allocatedAtMs: z.number(),
  tags: z.record(z.string(), z.string()),
  rev: z.int(),
});

export const AllocateAddress = defineOperation({
  name: 'AllocateAddress',
  summary: 'take a public address of the pool',
  kind: 'unary',
  changes: true,
  access: 'netadmin',
  input: z.strictObject({
    Domain: z.enum(['vpc', 'standard'], 'must be vpc or standard').default('vpc'),
    /** This one of the pool, if it is free. */
    Address: PublicIp.optional(),
    Tags: Tags.optional(),
    ClientToken: ClientToken.optional(),
  }),
  output: z.object({ address: AddressView, operationId: z.string() }),
});

export const DescribeAddresses = defineOperation({
  name: 'DescribeAddresses',
  summary: 'list public addresses',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    PublicIps: z.array(PublicIp).max(1000).optional(),
    AllocationIds: z.array(AllocationId).max(1000).optional(),
    Filters: z.array(Filter).max(200).optional(),
  }),
  output: z.object({ addresses: z.array(AddressView), rev: z.int() }),
});

/** One of the two names the address. */
const which = { PublicIp: PublicIp.optional(), AllocationId: AllocationId.optional() };

export const AssociateAddress = defineOperation({
  name: 'AssociateAddress',
  summary: 'give an instance a public address',
  kind: 'unary',
  changes: true,
  access: 'netadmin',
  input: z.strictObject({
    ...which,
    InstanceId,
    /** If given, it must be the instance's. */
    PrivateIpAddress: PublicIp.optional(),
    /** Also when the address, or the instance, is associated already. Default: only in the domain standard. */
    AllowReassociation: z.boolean().optional(),
  }),
  output: z.object({ address: AddressView, operationId: z.string() }),
});

export const DisassociateAddress = defineOperation({
  name: 'DisassociateAddress',
  summary: 'take the public address from its instance',
  kind: 'unary',
  changes: true,
  access: 'netadmin',
  input: z.strictObject({ PublicIp: PublicIp.optional(), AssociationId: AssociationId.optional() }),
  output: z.object({ address: AddressView, operationId: z.string() }),
});

export const ReleaseAddress = defineOperation({
  name: 'ReleaseAddress',
  summary: 'give a public address back to the pool',
  kind: 'unary',
  changes: true,
  access: 'netadmin',
  input: z.strictObject(which),
  output: z.object({ publicIp: z.string(), operationId: z.string() }),
});
