import type { ImageImportRecord } from '../../domain/image-import.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { PREFIX } from '../../domain/keys.ts';
import type { ImageRecord, ReservationRecord } from '../../domain/records.ts';
import type { Replica } from '../../ports/store.ts';
import type { Principal } from '../operations/handler.ts';
import { mayUse } from '../operations/handler.ts';

type Ranges = Pick<Replica, 'range'>;
type Parts = Pick<InstanceRecord, 'imageId' | 'kernelId' | 'ramdiskId'>;

const standsOn = ({ imageId, kernelId, ramdiskId }: Parts, id: string): boolean =>
  [imageId, kernelId, ramdiskId].includes(id);

/** An instance that stands on the image, or will: those that a reservation has still to make count. Others' are not named. */
export function instanceOn(replica: Ranges, imageId: string, principal?: Principal): string | undefined {
  const instance = replica
    .range<InstanceRecord>(PREFIX.instance)
    .find(({ value }) => value.state !== 'terminated' && standsOn(value, imageId))?.value;
  const isOwn = (projectId: string): boolean => principal === undefined || mayUse(principal, projectId);
  if (instance !== undefined) return isOwn(instance.projectId) ? instance.id : 'an instance of another project';
  const reservation = replica
    .range<ReservationRecord>(PREFIX.reservation)
    .find(({ value: { remaining } }) => remaining !== undefined && standsOn(remaining.template, imageId))?.value;
  if (reservation === undefined) return undefined;
  return isOwn(reservation.projectId) ? `reservation ${reservation.id}` : 'an instance of another project';
}

/** An image whose kernel or ramdisk it is; `counts` says which images matter. */
export function imageOn(
  replica: Ranges,
  imageId: string,
  counts: (image: ImageRecord) => boolean = () => true,
): ImageRecord | undefined {
  return replica
    .range<ImageRecord>(PREFIX.image)
    .find(({ value }) => (value.kernelId === imageId || value.ramdiskId === imageId) && counts(value))?.value;
}

/** Some record has the bytes: those of a copy are the same, and what was sent once may be on its way to two images. */
export function isBlobNamed(replica: Ranges, blobKey: string): boolean {
  const isSent = ({ source }: ImageImportRecord): boolean => source.kind === 'upload' && source.blobKey === blobKey;
  return (
    replica.range<ImageRecord>(PREFIX.image).some(({ value }) => value.blobKey === blobKey) ||
    replica.range<ImageImportRecord>(PREFIX.imageImport).some(({ value }) => isSent(value))
  );
}
