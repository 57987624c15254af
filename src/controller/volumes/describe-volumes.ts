import { isoTime } from '../../base/clock.ts';
import { PREFIX } from '../../domain/keys.ts';
import type { VolumeRecord } from '../../domain/volume.ts';
import type { ReadContext, ReadHandler } from '../operations/handler.ts';
import { mayUseInstance } from '../operations/handler.ts';
import type { Listing } from '../operations/listing.ts';
import { listed } from '../operations/listing.ts';
import { tagsOf } from '../tags/resource-tags.ts';
import type { VolumeView } from './volume-view.ts';
import { volumeView } from './volume-view.ts';

/** EC2's filters. A volume has one attachment at most. */
const VOLUMES: Listing<VolumeView> = {
  parameter: 'VolumeIds',
  notFound: 'InvalidVolume.NotFound',
  idOf: (row) => row.volumeId,
  tagsOf: (row) => row.tags,
  fields: {
    'attachment.attach-time': (row) => row.attachment && isoTime(row.attachment.attachTimeMs),
    'attachment.delete-on-termination': (row) => row.attachment && String(row.attachment.deleteOnTermination),
    'attachment.device': (row) => row.attachment?.device,
    'attachment.instance-id': (row) => row.attachment?.instanceId,
    'attachment.status': (row) => row.attachment?.state,
    'availability-zone': (row) => row.availabilityZone,
    'create-time': (row) => isoTime(row.createTimeMs),
    encrypted: () => 'false',
    'multi-attach-enabled': () => 'false',
    size: (row) => String(row.sizeGib),
    'snapshot-id': (row) => row.snapshotId,
    status: (row) => row.state,
    'volume-id': (row) => row.volumeId,
    'volume-status.status': (row) => row.status,
    'volume-type': (row) => row.volumeType,
  },
};

function volumesFor({ cloud, principal }: ReadContext): VolumeView[] {
  return cloud.store
    .range<VolumeRecord>(PREFIX.volume)
    .filter(({ value }) => mayUseInstance(principal, value))
    .map(({ value, rev }) => volumeView(value, tagsOf(cloud.store, value.id), rev));
}

export const describeVolumes: ReadHandler<'DescribeVolumes'> = (context, input) => {
  const { rows, ...rest } = listed(volumesFor(context), { ...input, ids: input.VolumeIds }, VOLUMES);
  return { volumes: rows, rev: context.cloud.store.rev, ...rest };
};

type ModificationView = NonNullable<VolumeView['modification']>;

const MODIFICATIONS: Listing<ModificationView> = {
  parameter: 'VolumeIds',
  notFound: 'InvalidVolumeModification.NotFound',
  idOf: (row) => row.volumeId,
  tagsOf: () => ({}),
  fields: {
    'modification-state': (row) => row.state,
    'original-size': (row) => String(row.originalSizeGib),
    'original-volume-type': (row) => row.originalVolumeType,
    'start-time': (row) => isoTime(row.startTimeMs),
    'target-size': (row) => String(row.targetSizeGib),
    'target-volume-type': (row) => row.volumeType,
    'volume-id': (row) => row.volumeId,
  },
};

export const describeVolumesModifications: ReadHandler<'DescribeVolumesModifications'> = (context, input) => {
  const found = volumesFor(context).flatMap(({ modification }) => modification ?? []);
  const { rows, ...rest } = listed(found, { ...input, ids: input.VolumeIds }, MODIFICATIONS);
  return { modifications: rows, rev: context.cloud.store.rev, ...rest };
};
