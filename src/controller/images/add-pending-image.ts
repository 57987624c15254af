import type { ImageSource } from '../../domain/image-import.ts';
import type { ImageImportRecord } from '../../domain/image-import.ts';
import { KEYS } from '../../domain/keys.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { ChangeContext, Principal } from '../operations/handler.ts';
import type { Draft } from '../state/draft.ts';
import type { Tags } from '../tags/resource-tags.ts';
import { addImage } from './add-image.ts';

/** What is known of an image before its bytes are. */
export type ComingImage = Omit<
  ImageRecord,
  'state' | 'format' | 'blobKey' | 'sha256' | 'sizeBytes' | 'virtualSizeBytes'
>;

export interface ImportOrder {
  readonly source: ImageSource;
  readonly context: Pick<ChangeContext, 'principal' | 'operationId' | 'nowMs'>;
  readonly tags: Tags | undefined;
  /** As its owner said; undefined: as the bytes or the manifest say. */
  readonly architecture?: ImageRecord['architecture'] | undefined;
}

/** What the record says until the bytes are known. */
const GUESSED = { machine: 'raw', kernel: 'kernel', ramdisk: 'ramdisk' } as const;

/** Who asked, as the object store is told later. */
export const askerOf = ({ name, userName, projectId, roles }: Principal): ImageImportRecord['asker'] => ({
  name,
  ...(userName === undefined ? {} : { userName }),
  projectId,
  roles: [...roles],
});

/**
 * Writes an image whose bytes are still to come, and the import that brings them: an importer takes it up once it is durable. The operation has to name the
 * image as pending. Errors: those of addImage.
 */
export function addPendingImage(draft: Draft, image: ComingImage, order: ImportOrder): ImageRecord {
  const { source, context, tags, architecture } = order;
  const record: ImageRecord = {
    ...image,
    state: 'pending',
    format: GUESSED[image.kind],
    ...{ blobKey: '', sha256: '', sizeBytes: 0, virtualSizeBytes: 0 },
  };
  addImage(draft, record, tags);
  draft.put(KEYS.imageImport(record.id), {
    v: 1,
    imageId: record.id,
    source,
    asker: askerOf(context.principal),
    operationId: context.operationId,
    ...(architecture === undefined ? {} : { architecture }),
    attempts: 0,
    step: 'waiting',
    doneBytes: 0,
    startedAtMs: context.nowMs,
    updatedAtMs: context.nowMs,
  } satisfies ImageImportRecord);
  return record;
}
