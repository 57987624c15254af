import { CloudError } from '../../base/errors.ts';
import { KEYS } from '../../domain/keys.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { Principal } from '../operations/handler.ts';
import { mayUse } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';
import { findImage } from './find-image.ts';

/** The image as its project may change it, guarded. Errors: those of findImage; 'UnauthorizedOperation' for who may only start it. */
export function ownImage(draft: Draft, principal: Principal, idOrName: string): ImageRecord {
  const found = findImage(draft, principal, idOrName, 'ImageId');
  const record = draft.get<ImageRecord>(KEYS.image(found.id));
  if (record === undefined) throw new CloudError('InvalidAMIID.NotFound', `ImageId: ${found.id} is gone already`);
  if (mayUse(principal, record.projectId)) return record;
  throw new CloudError('UnauthorizedOperation', `ImageId: ${record.id} belongs to another project`);
}
