import { CloudError } from '../../base/errors.ts';
import { ID_PREFIX, newId } from '../../base/ids.ts';
import type { ImageFacts } from '../../domain/image-format.ts';
import { IMAGE_HEAD_BYTES, IMAGE_TAIL_BYTES, inspectImage, requireImageKind } from '../../domain/image-format.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { OperationParsed } from '../../messages/operations/index.ts';
import type { BlobInfo, Blobs } from '../../ports/blobs.ts';
import { addImage } from '../images/add-image.ts';
import { findImage } from '../images/find-image.ts';
import { imageView } from '../images/image-view.ts';
import { Draft } from '../state/draft.ts';
import { dropTags } from '../tags/resource-tags.ts';
import { quotaOwner, releaseQuota } from '../users/quota.ts';
import type { ChangeContext, ChangeHandler, Principal } from './handler.ts';
import { badParameter, isAdmin, mayUse } from './handler.ts';

interface Inspected {
  readonly blob: BlobInfo;
  readonly facts: ImageFacts;
}

const ID_KIND = { machine: 'image', kernel: 'kernel', ramdisk: 'ramdisk' } as const;

/** The controller looks at the content itself: what a client says of it is not trusted. */
export const registerImage: ChangeHandler<'RegisterImage', Inspected> = {
  async prepare({ cloud }, input) {
    const blob = await cloud.blobs.head(input.BlobKey);
    const head = await readRange(cloud.blobs, blob, 0, IMAGE_HEAD_BYTES);
    const tail = await readRange(cloud.blobs, blob, Math.max(0, blob.sizeBytes - IMAGE_TAIL_BYTES), blob.sizeBytes);
    const facts = inspectImage(head, blob.sizeBytes, tail);
    requireImageKind(facts, input.Kind);
    return { blob, facts };
  },

  decide(draft, input, context, { blob, facts }) {
    const { principal } = context;
    const { ImageId: id } = input;
    if (id !== undefined) refuseGivenId(draft, principal, input, id);
    const record = imageRecord(draft, input, context, blob, facts);
    addImage(draft, record, input.Tags);
    const image = imageView(record, input.Tags, principal);
    return { output: { image, operationId: context.operationId }, targets: [record.id] };
  },
};

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

async function readRange(blobs: Blobs, blob: BlobInfo, start: number, end: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of await blobs.read(blob.key, { start, end: Math.min(end, blob.sizeBytes) }))
    parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function imageRecord(
  draft: Draft,
  input: OperationParsed<'RegisterImage'>,
  context: ChangeContext,
  blob: BlobInfo,
  facts: ImageFacts,
): ImageRecord {
  const part = (idOrName: string | undefined, kind: 'kernel' | 'ramdisk', parameter: string): string | undefined => {
    if (idOrName === undefined) return undefined;
    if (input.Kind !== 'machine') throw badParameter(parameter, `only a machine image has a ${kind}`);
    const found = findImage(draft, context.principal, idOrName, parameter);
    if (found.kind !== kind) throw badParameter(parameter, `${idOrName} is a ${found.kind}, not a ${kind}`);
    draft.get(KEYS.image(found.id));
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
    architecture: input.Architecture ?? facts.architecture ?? 'x86_64',
    format: facts.format,
    blobKey: blob.key,
    sizeBytes: blob.sizeBytes,
    virtualSizeBytes: facts.virtualSizeBytes,
    sha256: blob.sha256,
    ...(kernelId === undefined ? {} : { kernelId }),
    ...(ramdiskId === undefined ? {} : { ramdiskId }),
    ...(input.KernelArgs === undefined ? {} : { kernelArgs: input.KernelArgs }),
    ...(input.Description === undefined ? {} : { description: input.Description }),
    ...(input.Platform === undefined ? {} : { platform: input.Platform }),
    ...(input.RootDeviceName === undefined ? {} : { rootDeviceName: input.RootDeviceName }),
    ...(input.VirtualizationType === undefined ? {} : { virtualizationType: input.VirtualizationType }),
    createdAtMs: context.nowMs,
  };
}

export const deregisterImage: ChangeHandler<'DeregisterImage', ImageRecord> = {
  prepare: ({ cloud, principal }, input) =>
    Promise.resolve(findImage(new Draft(cloud.store), principal, input.ImageId, 'ImageId')),

  settled: true,
  decide(draft, _input, context, found) {
    // Changed by whoever begins to use the image while this is decided.
    draft.get(KEYS.imageUse(found.id));
    const record = draft.get<ImageRecord>(KEYS.image(found.id));
    if (record === undefined) throw new CloudError('InvalidAMIID.NotFound', `ImageId: ${found.id} is gone already`);
    if (!mayUse(context.principal, record.projectId)) {
      throw new CloudError('UnauthorizedOperation', `ImageId: ${record.id} belongs to another project`);
    }
    const user = whoUses(draft, record, context.principal);
    if (user !== undefined) {
      throw new CloudError(
        'InvalidAMIID.InUse',
        `ImageId: ${record.name} (${record.id}) is in use by ${user}; remove that first`,
        {
          details: { parameter: 'ImageId', usedBy: user },
        },
      );
    }
    releaseQuota(draft, record, { images: 1 });
    draft.del(KEYS.image(record.id));
    draft.del(KEYS.imageName(record.projectId, record.name));
    draft.del(KEYS.imageUse(record.id));
    dropTags(draft, record.id);
    return { output: { imageId: record.id, operationId: context.operationId }, targets: [record.id] };
  },

  /** Bytes go after the record, and only when no other image names them. */
  async after({ cloud }, _input, _plan, { blobKey }) {
    const shared = cloud.store.range<ImageRecord>(PREFIX.image).some((entry) => entry.value.blobKey === blobKey);
    if (!shared) await cloud.blobs.delete(blobKey);
  },
};

/** What others have is not named: that it is there is all that the image's owner is told. */
function whoUses(draft: Draft, image: ImageRecord, principal: Principal): string | undefined {
  const instance = draft.replica
    .range<InstanceRecord>(PREFIX.instance)
    .find(
      ({ value }) =>
        value.state !== 'terminated' && [value.imageId, value.kernelId, value.ramdiskId].includes(image.id),
    );
  if (instance !== undefined)
    return mayUse(principal, instance.value.projectId)
      ? `instance ${instance.value.id}`
      : 'an instance of another project';
  const parent = draft.replica
    .range<ImageRecord>(PREFIX.image)
    .find(({ value }) => value.kernelId === image.id || value.ramdiskId === image.id);
  if (parent === undefined) return undefined;
  const { id, name, projectId } = parent.value;
  return mayUse(principal, projectId) ? `image ${name} (${id})` : 'an image of another project';
}
