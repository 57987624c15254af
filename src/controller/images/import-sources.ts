import type { Readable } from 'node:stream';
import { CloudError } from '../../base/errors.ts';
import type { ImageImportRecord, ImageSource } from '../../domain/image-import.ts';
import { MAX_VIRTUAL_BYTES } from '../../domain/qcow2-header.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { BuiltImage, BuildOrder } from '../../ports/image-workshop.ts';
import type { ControllerContext } from '../controller-context.ts';
import { captureDisk } from './capture.ts';
import { needWorkshop, openBundleAt, openObject } from './image-source.ts';

/** What the bytes are, and what whoever made them said of the image: that counts where its owner said nothing. */
export interface Imported {
  readonly built: BuiltImage;
  readonly architecture?: ImageRecord['architecture'];
  readonly kernelId?: string;
  readonly ramdiskId?: string;
}

export interface ImportWork {
  readonly cloud: ControllerContext;
  readonly record: ImageImportRecord;
  readonly image: ImageRecord;
  readonly onProgress: NonNullable<BuildOrder['onProgress']>;
  readonly signal: AbortSignal;
}

type Import<K extends ImageSource['kind']> = (
  work: ImportWork,
  source: Extract<ImageSource, { kind: K }>,
) => Promise<Imported>;

/** How the bytes of each kind of source are read; all else is the same for all. */
const IMPORTS: { readonly [K in ImageSource['kind']]: Import<K> } = {
  async object(work, source) {
    const object = await openObject(work.cloud, work.record.asker, source);
    const { signal, onProgress } = work;
    const bytes = await object.read(undefined, {
      signal,
      onProgress: (doneBytes, totalBytes) => onProgress('fetching', doneBytes, totalBytes),
    });
    return { built: await build(work, bytes, object.sizeBytes) };
  },

  async bundle(work, source) {
    const { image, sizeBytes, kind, ...said } = await openBundleAt(work.cloud, work.record.asker, source);
    if (kind !== work.image.kind) {
      image.destroy();
      throw new CloudError('InvalidManifest', `the bundle is of a ${kind} now, and was of a ${work.image.kind}`);
    }
    const { architecture, kernelId, ramdiskId } = said;
    return {
      built: await build(work, image, sizeBytes),
      ...(architecture === undefined ? {} : { architecture }),
      ...(kernelId === undefined ? {} : { kernelId }),
      ...(ramdiskId === undefined ? {} : { ramdiskId }),
    };
  },

  async upload(work, { blobKey }) {
    const { blobs } = work.cloud;
    const { sizeBytes } = await blobs.head(blobKey);
    return { built: await build(work, await blobs.read(blobKey), sizeBytes) };
  },

  async instance({ cloud, record, onProgress, signal }) {
    return { built: await captureDisk(cloud, record, onProgress, signal) };
  },
};

export function importImage(work: ImportWork): Promise<Imported> {
  const { source } = work.record;
  const run = IMPORTS[source.kind] as Import<ImageSource['kind']>;
  return run(work, source);
}

async function build(work: ImportWork, source: Readable, sizeBytes: number): Promise<BuiltImage> {
  const { cloud, record, image, onProgress, signal } = work;
  try {
    const order = { imageId: record.imageId, kind: image.kind, sizeBytes, maxVirtualBytes: MAX_VIRTUAL_BYTES };
    return await needWorkshop(cloud, 'Location').build(source, { ...order, onProgress, signal });
  } finally {
    source.destroy();
  }
}
