import { z } from 'zod';
import { defineOperation } from './definition.ts';
import { ClientToken, Filter, InstanceId, MaxResults, NextToken, Tags } from './fields.ts';
import { SnapshotId, VolumeId } from './volumes.ts';

const ProjectIds = z.array(z.string().min(1).max(128)).max(200);
const Description = z.string().max(255, 'must be at most 255 characters');
const ZoneName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be the name of an availability zone');

/** One snapshot as it is described to a user. Times are milliseconds since 1970. */
export const SnapshotView = z.object({
  snapshotId: z.string(),
  projectId: z.string(),
  volumeId: z.string(),
  volumeSizeGib: z.int(),
  availabilityZone: z.string(),
  description: z.string(),
  state: z.enum(['pending', 'completed', 'error']),
  stateReason: z.object({ code: z.string(), message: z.string() }).optional(),
  /** Percent. */
  progress: z.int(),
  startTimeMs: z.number(),
  public: z.boolean(),
  sharedWith: z.array(z.string()),
  tags: z.record(z.string(), z.string()),
  rev: z.int(),
});

export const CreateSnapshot = defineOperation({
  name: 'CreateSnapshot',
  summary: 'keep a copy of a volume as it is now',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({
    VolumeId,
    Description: Description.optional(),
    Tags: Tags.optional(),
    ClientToken: ClientToken.optional(),
  }),
  output: z.object({ snapshot: SnapshotView, operationId: z.string() }),
});

export const CreateSnapshots = defineOperation({
  name: 'CreateSnapshots',
  summary: 'keep a copy of each volume that an instance has',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({
    InstanceId,
    ExcludeVolumeIds: z.array(VolumeId).max(40).optional(),
    Description: Description.optional(),
    /** Of each, beside those of its volume where they are asked for. */
    Tags: Tags.optional(),
    CopyTags: z.boolean().optional(),
    ClientToken: ClientToken.optional(),
  }),
  output: z.object({ snapshots: z.array(SnapshotView), operationId: z.string() }),
});

export const CopySnapshot = defineOperation({
  name: 'CopySnapshot',
  summary: "copy a snapshot; the copy is one's own",
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({
    SourceSnapshotId: SnapshotId,
    /** Default: the caller's own. */
    SourceRegion: z.string().min(1).max(63).optional(),
    Description: Description.optional(),
    /** Where the copy is; default: where the source is. */
    AvailabilityZone: ZoneName.optional(),
    Encrypted: z.boolean().optional(),
    Tags: Tags.optional(),
    ClientToken: ClientToken.optional(),
  }),
  output: z.object({ snapshot: SnapshotView, operationId: z.string() }),
});

export const DescribeSnapshots = defineOperation({
  name: 'DescribeSnapshots',
  summary: 'list snapshots that one has or may use',
  kind: 'unary',
  changes: false,
  access: 'member',
  input: z.strictObject({
    SnapshotIds: z.array(SnapshotId).max(1000).optional(),
    /** Projects, or `self`. */
    OwnerIds: ProjectIds.optional(),
    /** Projects, `self`, or `all`: only those that one of them may make volumes of. */
    RestorableByUserIds: ProjectIds.optional(),
    Filters: z.array(Filter).max(200).optional(),
    MaxResults: MaxResults.optional(),
    NextToken: NextToken.optional(),
  }),
  output: z.object({ snapshots: z.array(SnapshotView), nextToken: z.string().optional(), rev: z.int() }),
});

export const DeleteSnapshot = defineOperation({
  name: 'DeleteSnapshot',
  summary: 'delete a snapshot; volumes that were made of it stay',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({ SnapshotId }),
  output: z.object({ snapshotId: z.string(), operationId: z.string() }),
});

export const ModifySnapshotAttribute = defineOperation({
  name: 'ModifySnapshotAttribute',
  summary: 'say who else may make volumes of a snapshot',
  kind: 'unary',
  changes: true,
  access: 'sysadmin',
  input: z.strictObject({
    SnapshotId,
    /** Everybody, or not. */
    Public: z.boolean().optional(),
    /** Projects. */
    Add: ProjectIds.optional(),
    Remove: ProjectIds.optional(),
    /** Nobody else, before anything is added. */
    Reset: z.boolean().optional(),
  }),
  output: z.object({ snapshot: SnapshotView, operationId: z.string() }),
});
