import type { z } from 'zod';
import type { ImageImportRecord } from '../../domain/image-import.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { ImageView as Schema } from '../../messages/operations/images.ts';
import { mayUse, type Principal } from '../operations/handler.ts';
import type { Tags } from '../tags/resource-tags.ts';

export type ImageView = z.output<typeof Schema>;

/** The record as a user sees it: tags and who else may start it are its owner's to know. */
export function imageView(
  record: ImageRecord,
  tags: Tags | undefined,
  principal: Principal,
  underWay?: ImageImportRecord,
): ImageView {
  const { v: _v, id, blobKey: _blobKey, user: _user, kernelArgs: _kernelArgs, launchProjects, ...shown } = record;
  const { deregisteredAtMs: _deregistered, notes, ...rest } = shown;
  const isOwn = mayUse(principal, record.projectId);
  return {
    ...rest,
    imageId: id,
    state: record.state ?? 'available',
    ...(notes === undefined ? {} : { notes: [...notes] }),
    ...(underWay === undefined ? {} : { progress: progressOf(underWay) }),
    ...(isOwn && launchProjects !== undefined ? { launchProjects: [...launchProjects] } : {}),
    ...(isOwn && tags !== undefined && Object.keys(tags).length > 0 ? { tags } : {}),
  };
}

function progressOf(underWay: ImageImportRecord): NonNullable<ImageView['progress']> {
  const { step, doneBytes, totalBytes, bytesPerSecond, attempts, startedAtMs, updatedAtMs } = underWay;
  return {
    ...{ step, doneBytes, attempts, startedAtMs, updatedAtMs },
    ...(totalBytes === undefined ? {} : { totalBytes }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
  };
}
