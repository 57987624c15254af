import { CloudError } from '../../base/errors.ts';
import type { ImageImportRecord } from '../../domain/image-import.ts';
import { KEYS } from '../../domain/keys.ts';
import type { ImageRecord, OperationStep } from '../../domain/records.ts';
import { badParameter, type Principal } from '../operations/handler.ts';
import { finishTarget } from '../operations/operation-record.ts';
import type { Draft } from '../state/draft.ts';
import { findImage, needAvailable } from './find-image.ts';
import { bytesOf } from './image-bytes.ts';
import type { Imported } from './import-sources.ts';

const REASON_CHARS = 1000;

export interface ImportEnd {
  readonly record: ImageImportRecord;
  readonly image: ImageRecord;
  readonly nowMs: number;
  readonly steps: readonly OperationStep[];
}

/** The image is available, and nothing is left of its import. Errors: those of the kernel and ramdisk that a bundle names. */
export function makeAvailable(draft: Draft, end: ImportEnd, imported: Imported): void {
  const { record, image, nowMs, steps } = end;
  const { built, architecture, kernelId, ramdiskId } = imported;
  const { state: _state, stateReason: _reason, ...rest } = image;
  const part = (known: string | undefined, said: string | undefined, kind: 'kernel' | 'ramdisk'): string | undefined =>
    known ?? (said === undefined || image.kind !== 'machine' ? undefined : partOf(draft, record, said, kind));
  const kernel = part(image.kernelId, kernelId, 'kernel');
  const ramdisk = part(image.ramdiskId, ramdiskId, 'ramdisk');
  requireKernelWith(ramdisk, kernel);
  for (const id of [kernel, ramdisk]) if (id !== undefined) draft.put(KEYS.imageUse(id), { v: 1, atMs: nowMs });
  draft.put(KEYS.image(image.id), {
    ...rest,
    ...bytesOf(built.blob, built.facts, record.architecture ?? built.facts.architecture ?? architecture, built.notes),
    ...(kernel === undefined ? {} : { kernelId: kernel }),
    ...(ramdisk === undefined ? {} : { ramdiskId: ramdisk }),
  } satisfies ImageRecord);
  draft.del(KEYS.imageImport(image.id));
  finishTarget(draft, record.operationId, image.id, nowMs, { steps });
}

/** An image that a bundle names a ramdisk of could not be started without a kernel. 'InvalidManifest'. */
export function requireKernelWith(ramdiskId: string | undefined, kernelId: string | undefined): void {
  if (ramdiskId === undefined || kernelId !== undefined) return;
  throw new CloudError(
    'InvalidManifest',
    `Location: the bundle names the ramdisk ${ramdiskId} and no kernel, without which nothing loads it; give KernelId, or bundle it anew`,
    { details: { parameter: 'Location', ramdiskId } },
  );
}

/** The image stays, failed, until its owner deletes it: it tells why. */
export function makeFailed(
  draft: Draft,
  end: ImportEnd,
  { code, message }: Pick<CloudError, 'code' | 'message'>,
): void {
  const { record, image, nowMs, steps } = end;
  const error = { code, message: message.slice(0, REASON_CHARS) };
  draft.put(KEYS.image(image.id), { ...image, state: 'failed', stateReason: error } satisfies ImageRecord);
  draft.del(KEYS.imageImport(image.id));
  finishTarget(draft, record.operationId, image.id, nowMs, { steps, error });
}

/** A kernel or ramdisk that a bundle names, as whoever registers it may use it. */
function partOf(draft: Draft, record: ImageImportRecord, id: string, kind: 'kernel' | 'ramdisk'): string {
  const parameter = kind === 'kernel' ? 'KernelId' : 'RamdiskId';
  const principal: Principal = { ...record.asker, from: 'import' };
  const found = findImage(draft, principal, id, parameter);
  if (found.kind !== kind) throw badParameter(parameter, `${id}, which the bundle names, is a ${found.kind}`);
  needAvailable(draft.get<ImageRecord>(KEYS.image(found.id)) ?? found, parameter);
  return found.id;
}
