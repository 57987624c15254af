import { CloudError } from '../../base/errors.ts';
import { ID_PREFIX, newId } from '../../base/ids.ts';
import type { ImageFacts } from '../../domain/image-format.ts';
import { IMAGE_HEAD_BYTES, requireImageKind } from '../../domain/image-format.ts';
import type { ImageImportRecord, ImageSource } from '../../domain/image-import.ts';
import { KEYS } from '../../domain/keys.ts';
import type { ImageRecord } from '../../domain/records.ts';
import { isVmdk, parseVmdk, VMDK_TAIL_BYTES } from '../../domain/vmdk-header.ts';
import type { OperationParsed } from '../../messages/operations/index.ts';
import type { BlobInfo } from '../../ports/blobs.ts';
import { addImage } from '../images/add-image.ts';
import { addPendingImage, askerOf, type ComingImage } from '../images/add-pending-image.ts';
import type { OpenedBundle } from '../images/bundle/open-bundle.ts';
import { dropBytes, dropImage } from '../images/drop-image.ts';
import { requireKernelWith } from '../images/end-import.ts';
import { findImage, needAvailable } from '../images/find-image.ts';
import { bytesOf } from '../images/image-bytes.ts';
import { needWorkshop, openBundleAt, openObject, pinned, sourceAt } from '../images/image-source.ts';
import { imageOn, instanceOn } from '../images/image-uses.ts';
import { imageView } from '../images/image-view.ts';
import { inspectBlob, readRange } from '../images/inspect-blob.ts';
import { Draft } from '../state/draft.ts';
import { dropTags } from '../tags/resource-tags.ts';
import { quotaOwner, releaseQuota } from '../users/quota.ts';
import type { ChangeContext, ChangeHandler, Principal, ReadContext } from './handler.ts';
import { badParameter, isAdmin, mayUse } from './handler.ts';
import { finishTarget } from './operation-record.ts';

type BundleSays = Omit<OpenedBundle, 'image'>;

/** What the image is made of: bytes that are there and were looked at, or something that is to be read first. */
type Prepared =
  | { readonly kind: 'ready'; readonly blob: BlobInfo; readonly facts: ImageFacts }
  | { readonly kind: 'coming'; readonly source: ImageSource; readonly bundle?: BundleSays };

const ID_KIND = { machine: 'image', kernel: 'kernel', ramdisk: 'ramdisk' } as const;

/** The controller looks at the content itself: what a client says of it is not trusted. */
export const registerImage: ChangeHandler<'RegisterImage', Prepared> = {
  async prepare(context, input) {
    const { BlobKey, Location, SnapshotId } = input;
    const given = Object.entries({ BlobKey, Location, SnapshotId }).filter(([, value]) => value !== undefined);
    const [first, second] = given.map(([name]) => name);
    if (second !== undefined)
      throw new CloudError('InvalidParameterCombination', `${second}: it does not go together with ${first ?? ''}`, {
        details: { parameter: second },
      });
    if (SnapshotId !== undefined)
      throw new CloudError(
        'UnsupportedOperation',
        `SnapshotId: no image is made of a snapshot such as ${SnapshotId}, since the hosts of this cloud start guests of image files alone; give an object or a disk`,
        { details: { parameter: 'SnapshotId' } },
      );
    if (Location !== undefined) return prepareObject(context, Location);
    if (BlobKey !== undefined) return prepareUpload(context, input.Kind, BlobKey);
    throw new CloudError('MissingParameter', 'Location: it or BlobKey is needed', {
      details: { parameter: 'Location' },
    });
  },

  decide(draft, asked, context, prepared) {
    const { principal, operationId } = context;
    // A bundle says itself what it is: clients of EC2 can't.
    const input = prepared.kind === 'coming' ? { ...asked, Kind: prepared.bundle?.kind ?? asked.Kind } : asked;
    const { ImageId: id } = input;
    if (id !== undefined) refuseGivenId(draft, principal, input, id);
    const coming = comingImage(draft, input, context);
    if (prepared.kind === 'coming') {
      const { source, bundle } = prepared;
      if (coming.kind === 'machine')
        requireKernelWith(coming.ramdiskId ?? bundle?.ramdiskId, coming.kernelId ?? bundle?.kernelId);
      const order = { source, context, tags: input.Tags, architecture: input.Architecture };
      const record = addPendingImage(draft, coming, order);
      const image = imageView(record, input.Tags, principal);
      return { output: { image, operationId }, targets: [record.id], pending: [record.id] };
    }
    const { blob, facts } = prepared;
    const record = { ...coming, ...bytesOf(blob, facts, input.Architecture, facts.notes) };
    addImage(draft, record, input.Tags);
    return { output: { image: imageView(record, input.Tags, principal), operationId }, targets: [record.id] };
  },
};

/** That it is there and may be read is answered at once; what is in it is looked at by the importer. A bundle's manifest is read, and must be sound. */
async function prepareObject({ cloud, principal }: ReadContext, location: string): Promise<Prepared> {
  needWorkshop(cloud, 'Location');
  const found = await openObject(cloud, askerOf(principal), sourceAt(location));
  const source = pinned(sourceAt(location), found);
  if (found.sizeBytes === 0) throw new CloudError('InvalidImage.Format', `Location: the object ${location} is empty`);
  if (source.kind === 'object') return { kind: 'coming', source };
  const { image, kind, ...said } = await openBundleAt(cloud, askerOf(principal), source);
  image.destroy();
  return { kind: 'coming', source, bundle: { ...said, kind } };
}

async function prepareUpload({ cloud }: ReadContext, kind: ImageRecord['kind'], blobKey: string): Promise<Prepared> {
  const blob = await cloud.blobs.head(blobKey);
  // What else has to be converted is refused with the way to do it.
  if (kind === 'machine' && cloud.workshop !== undefined) {
    const head = await readRange(cloud.blobs, blob, 0, IMAGE_HEAD_BYTES);
    if (isVmdk(head)) {
      const tailAt = Math.max(0, blob.sizeBytes - VMDK_TAIL_BYTES);
      parseVmdk(head, blob.sizeBytes, await readRange(cloud.blobs, blob, tailAt, blob.sizeBytes));
      return { kind: 'coming', source: { kind: 'upload', blobKey } };
    }
  }
  const facts = await inspectBlob(cloud.blobs, blob);
  requireImageKind(facts, kind);
  return { kind: 'ready', blob, facts };
}

/** An id that somebody gives is free, of the right kind, and given by who answers for the whole cloud. */
function refuseGivenId(draft: Draft, principal: Principal, input: OperationParsed<'RegisterImage'>, id: string): void {
  if (!isAdmin(principal)) {
    throw new CloudError('UnauthorizedOperation', 'ImageId: only a cloudadmin may say which id an image gets', {
      details: { parameter: 'ImageId' },
    });
  }
  const prefix = ID_PREFIX[ID_KIND[input.Kind]];
  if (!id.startsWith(`${prefix}-`))
    throw badParameter('ImageId', `the id of a ${input.Kind} begins with ${prefix}-, not as ${id} does`);
  if (draft.get(KEYS.image(id)) !== undefined) {
    throw new CloudError(
      'AlreadyExists',
      `ImageId: there is an image ${id} already; delete it first or leave the id out`,
      {
        details: { parameter: 'ImageId' },
      },
    );
  }
}

/** All of the record but what its bytes say. */
function comingImage(draft: Draft, input: OperationParsed<'RegisterImage'>, context: ChangeContext): ComingImage {
  const part = (idOrName: string | undefined, kind: 'kernel' | 'ramdisk', parameter: string): string | undefined => {
    if (idOrName === undefined) return undefined;
    if (input.Kind !== 'machine') throw badParameter(parameter, `only a machine image has a ${kind}`);
    const found = findImage(draft, context.principal, idOrName, parameter);
    if (found.kind !== kind) throw badParameter(parameter, `${idOrName} is a ${found.kind}, not a ${kind}`);
    needAvailable(draft.get<ImageRecord>(KEYS.image(found.id)) ?? found, parameter);
    draft.put(KEYS.imageUse(found.id), { v: 1, atMs: context.nowMs });
    return found.id;
  };
  const kernelId = part(input.KernelId, 'kernel', 'KernelId');
  const ramdiskId = part(input.RamdiskId, 'ramdisk', 'RamdiskId');
  if (ramdiskId !== undefined && kernelId === undefined)
    throw badParameter('RamdiskId', 'a ramdisk needs a kernel; give KernelId too');
  return {
    v: 1,
    id: input.ImageId ?? newId(ID_KIND[input.Kind], context.cloud.random),
    name: input.Name,
    kind: input.Kind,
    ...quotaOwner(context.principal),
    public: false,
    architecture: input.Architecture ?? 'x86_64',
    ...(kernelId === undefined ? {} : { kernelId }),
    ...(ramdiskId === undefined ? {} : { ramdiskId }),
    ...(input.KernelArgs === undefined ? {} : { kernelArgs: input.KernelArgs }),
    ...(input.Description === undefined ? {} : { description: input.Description }),
    ...(input.Platform === undefined ? {} : { platform: input.Platform }),
    ...(input.RootDeviceName === undefined ? {} : { rootDeviceName: input.RootDeviceName }),
    ...(input.VirtualizationType === undefined ? {} : { virtualizationType: input.VirtualizationType }),
    ...(input.Location === undefined ? {} : { location: input.Location }),
    createdAtMs: context.nowMs,
  };
}

interface Found {
  readonly image: ImageRecord;
  /** Bytes that were sent and wait to be converted. */
  readonly sentKey?: string;
}

/**
 * It is hidden at once, and its name and its owner's quota are free: its owner can do no more about it, and who keeps it may be another project. Record and
 * bytes stay while an instance stands on them. What is still being made is given up.
 */
export const deregisterImage: ChangeHandler<'DeregisterImage', Found> = {
  prepare({ cloud, principal }, input) {
    const image = findImage(new Draft(cloud.store), principal, input.ImageId, 'ImageId');
    const source = cloud.store.get<ImageImportRecord>(KEYS.imageImport(image.id))?.value.source;
    return Promise.resolve({ image, ...(source?.kind === 'upload' ? { sentKey: source.blobKey } : {}) });
  },

  settled: true,
  decide(draft, _input, context, { image: { id } }) {
    const { principal, operationId, nowMs } = context;
    // Changed by whoever begins to use the image while this is decided.
    draft.get(KEYS.imageUse(id));
    const record = draft.get<ImageRecord>(KEYS.image(id));
    if (record === undefined || record.deregisteredAtMs !== undefined)
      throw new CloudError('InvalidAMIID.NotFound', `ImageId: ${id} is gone already`);
    if (!mayUse(principal, record.projectId))
      throw new CloudError('UnauthorizedOperation', `ImageId: ${id} belongs to another project`);
    refuseAsPart(draft, record);
    releaseQuota(draft, record, { images: 1 });
    draft.del(KEYS.imageName(record.projectId, record.name));
    dropTags(draft, id);
    giveUpImport(draft, id, nowMs);
    const usedBy = instanceOn(draft.replica, id, principal) ?? usingImage(draft, id, principal);
    if (usedBy === undefined) dropImage(draft, id);
    else draft.put(KEYS.image(id), { ...record, deregisteredAtMs: nowMs });
    return { output: { imageId: id, operationId, ...(usedBy === undefined ? {} : { usedBy }) }, targets: [id] };
  },

  async after({ cloud }, _input, { output }, { image, sentKey }) {
    if (output.usedBy === undefined) await dropBytes(cloud, image.blobKey);
    if (sentKey !== undefined) await dropBytes(cloud, sentKey);
  },
};

/** An image that keeps the bytes: of others' it is only told that there is one. */
function usingImage(draft: Draft, id: string, principal: Principal): string | undefined {
  const parent = imageOn(draft.replica, id);
  return parent === undefined || mayUse(principal, parent.projectId) ? parent?.id : 'an image of another project';
}

/** A kernel or ramdisk that an image of the same project names, which its owner may have forgotten. What other projects made of a public image keeps it, and is in nobody's way. */
function refuseAsPart(draft: Draft, image: ImageRecord): void {
  const parent = imageOn(
    draft.replica,
    image.id,
    ({ deregisteredAtMs, projectId }) => deregisteredAtMs === undefined && projectId === image.projectId,
  );
  if (parent === undefined) return;
  const usedBy = `image ${parent.name} (${parent.id})`;
  throw new CloudError(
    'InvalidAMIID.InUse',
    `ImageId: ${image.name} (${image.id}) is in use by ${usedBy}; remove that first`,
    { details: { parameter: 'ImageId', usedBy } },
  );
}

/** Whoever works on it sees that it is gone, and stops. */
function giveUpImport(draft: Draft, imageId: string, nowMs: number): void {
  const underWay = draft.get<ImageImportRecord>(KEYS.imageImport(imageId));
  if (underWay === undefined) return;
  draft.del(KEYS.imageImport(imageId));
  const error = { code: 'InvalidAMIID.NotFound', message: `the image ${imageId} was deregistered before it was made` };
  finishTarget(draft, underWay.operationId, imageId, nowMs, { error });
}
