import { z } from 'zod';
import { VOLUME_MAX_GIB, VOLUME_TYPES } from '../../domain/volume.ts';
import { defineOperation } from './definition.ts';
import { ClientToken, Filter, InstanceId, MaxResults, NextToken, Tags } from './fields.ts';

const SIZE = `must be a whole number of GiB, 1 to ${VOLUME_MAX_GIB}`;
export const VolumeSize = z.int(SIZE).min(1, SIZE).max(VOLUME_MAX_GIB, SIZE);

export const VolumeId = z
  .string()
  .regex(/^vol-([0-9a-f]{8}|[0-9a-f]{17})$/, 'must look like vol-0123456789abcdef0 (17 hex digits)');
export const SnapshotId = z
  .string()
  .regex(/^snap-([0-9a-f]{8}|[0-9a-f]{17})$/, 'must look like snap-0123456789abcdef0 (17 hex digits)');
const ZoneName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be the name of an availability zone');
export const VolumeTypeName = z.enum(VOLUME_TYPES, `must be ${VOLUME_TYPES.join(' or ')}`);
export const VolumeDevice = z.string().regex(/^[a-z0-9/]{1,32}$/, 'must be a device name like /dev/sdf');

const AttachmentView = z.object({
  volumeId: z.string(),
  instanceId: z.string(),
  device: z.string(),
  state: z.enum(['attaching', 'attached', 'detaching']),
  attachTimeMs: z.number(),
  deleteOnTermination: z.boolean(),
});

const ModificationView = z.object({
  volumeId: z.string(),
  state: z.enum(['modifying', 'completed', 'failed']),
  originalSizeGib: z.int(),
  originalVolumeType: z.enum(VOLUME_TYPES),
  targetSizeGib: z.int(),
  volumeType: z.enum(VOLUME_TYPES),
  startTimeMs: z.number(),
  endTimeMs: z.number().optional(),
  message: z.string().optional(),
});

/** One volume as it is described to a user. Times are milliseconds since 1970. */
export const VolumeView = z.object({
  volumeId: z.string(),
  projectId: z.string(),
  sizeGib: z.int(),
  volumeType: z.enum(VOLUME_TYPES),
  availabilityZone: z.string(),
  snapshotId: z.string().optional(),
  state: z.enum(['creating', 'available', 'in-use', 'deleting', 'error']),
  stateReason: z.object({ code: z.string(), message: z.string() }).optional(),
  createTimeMs: z.number(),
  attachment: AttachmentView.optional(),
  modification: ModificationView.optional(),
  /** Of its health, as DescribeVolumeStatus says it. */
  status: z.enum(['ok', 'insufficient-data', 'impaired']),
  autoEnableIo: z.boolean(),
  tags: z.record(z.string(), z.string()),
  /** What is being done fails, and is tried again. */
  lastError: z.string().optional(),
  /** The store revision that this view is of. */
  rev: z.int(),
});

export const CreateVolume = defineOperation({
  name: 'CreateVolume',
  summary: 'make a volume, empty or of a snapshot',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({
    /** GiB; with SnapshotId the snapshot's, if left out. */
    Size: VolumeSize.optional(),
    SnapshotId: SnapshotId.optional(),
    /** Default: the cloud's own. */
    AvailabilityZone: ZoneName.optional(),
    /** Names of one kind of storage. */
    VolumeType: VolumeTypeName.default('standard'),
    Encrypted: z.boolean().optional(),
    Tags: Tags.optional(),
    ClientToken: ClientToken.optional(),
  }),
  output: z.object({ volume: VolumeView, operationId: z.string() }),
});

export const DescribeVolumes = defineOperation({
  name: 'DescribeVolumes',
  summary: 'list volumes',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    VolumeIds: z.array(VolumeId).max(1000).optional(),
    Filters: z.array(Filter).max(200).optional(),
    MaxResults: MaxResults.optional(),
    NextToken: NextToken.optional(),
  }),
  output: z.object({ volumes: z.array(VolumeView), nextToken: z.string().optional(), rev: z.int() }),
});

export const DescribeVolumesModifications = defineOperation({
  name: 'DescribeVolumesModifications',
  summary: "list volumes' last changes of size",
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    VolumeIds: z.array(VolumeId).max(1000).optional(),
    Filters: z.array(Filter).max(200).optional(),
    MaxResults: MaxResults.optional(),
    NextToken: NextToken.optional(),
  }),
  output: z.object({ modifications: z.array(ModificationView), nextToken: z.string().optional(), rev: z.int() }),
});

export const DeleteVolume = defineOperation({
  name: 'DeleteVolume',
  summary: 'delete a volume that is attached nowhere, with its data',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({ VolumeId }),
  output: z.object({ volumeId: z.string(), operationId: z.string() }),
});

export const AttachVolume = defineOperation({
  name: 'AttachVolume',
  summary: 'attach a volume to an instance of the same project and zone',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({
    VolumeId,
    InstanceId,
    Device: VolumeDevice,
    /** It goes with the instance. */
    DeleteOnTermination: z.boolean().optional(),
  }),
  output: z.object({ attachment: AttachmentView, operationId: z.string() }),
});

export const DetachVolume = defineOperation({
  name: 'DetachVolume',
  summary: 'detach a volume from its instance',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({
    VolumeId,
    /** If given, they must be those of the attachment. */
    InstanceId: InstanceId.optional(),
    Device: VolumeDevice.optional(),
    /** Without asking the guest. */
    Force: z.boolean().optional(),
  }),
  output: z.object({ attachment: AttachmentView, operationId: z.string() }),
});

export const ModifyVolume = defineOperation({
  name: 'ModifyVolume',
  summary: 'make a volume larger',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({
    VolumeId,
    Size: VolumeSize.optional(),
    VolumeType: VolumeTypeName.optional(),
  }),
  output: z.object({ modification: ModificationView, operationId: z.string() }),
});

export const ModifyVolumeAttribute = defineOperation({
  name: 'ModifyVolumeAttribute',
  summary: "change a volume's settings",
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({ VolumeId, AutoEnableIO: z.boolean() }),
  output: z.object({ volume: VolumeView, operationId: z.string() }),
});
