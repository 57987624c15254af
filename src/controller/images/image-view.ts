import type { z } from 'zod';
import type { ImageRecord } from '../../domain/records.ts';
import type { ImageView as Schema } from '../../messages/operations/images.ts';
import { mayUse, type Principal } from '../operations/handler.ts';
import type { Tags } from '../tags/resource-tags.ts';

export type ImageView = z.output<typeof Schema>;

/** The record as a user sees it: tags and who else may start it are its owner's to know. */
export function imageView(record: ImageRecord, tags: Tags | undefined, principal: Principal): ImageView {
  const { v: _v, id, blobKey: _blobKey, user: _user, kernelArgs: _kernelArgs, launchProjects, ...shown } = record;
  const isOwn = mayUse(principal, record.projectId);
  return {
    ...shown,
    imageId: id,
    state: 'available',
    ...(isOwn && launchProjects !== undefined ? { launchProjects: [...launchProjects] } : {}),
    ...(isOwn && tags !== undefined && Object.keys(tags).length > 0 ? { tags } : {}),
  };
}
