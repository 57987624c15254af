import { CloudError } from '../../base/errors.ts';
import { KEYS } from '../../domain/keys.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { Draft } from '../state/draft.ts';
import { newTags, type Tags } from '../tags/resource-tags.ts';
import { claimQuota } from '../users/quota.ts';

/** Writes a new image with its name, which no other of its project has, and counts it. Errors: 'InvalidAMIName.Duplicate', those of quotas. */
export function addImage(draft: Draft, record: ImageRecord, tags: Tags | undefined): void {
  const nameKey = KEYS.imageName(record.projectId, record.name);
  if (draft.get(nameKey) !== undefined) {
    throw new CloudError(
      'InvalidAMIName.Duplicate',
      `Name: an image ${record.name} exists already; delete it first or choose another name`,
      { details: { parameter: 'Name' } },
    );
  }
  claimQuota(draft, record, { images: 1 });
  draft.put(KEYS.image(record.id), record);
  draft.put(nameKey, { v: 1, imageId: record.id });
  newTags(draft, { projectId: record.projectId, resourceId: record.id, kind: 'image' }, tags);
}
