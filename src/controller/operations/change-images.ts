import { CloudError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { needCapability } from '../../domain/capabilities.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import { projectWithoutRegion } from '../../domain/project-region.ts';
import type { ImageRecord } from '../../domain/records.ts';
import type { OperationParsed } from '../../messages/operations/index.ts';
import { addImage } from '../images/add-image.ts';
import { addPendingImage } from '../images/add-pending-image.ts';
import { findImage, needAvailable } from '../images/find-image.ts';
import { imageView } from '../images/image-view.ts';
import { ownImage } from '../images/own-image.ts';
import type { Draft } from '../state/draft.ts';
import { type Tags, tagsOf } from '../tags/resource-tags.ts';
import { accountsOf } from '../users/directory-memo.ts';
import { quotaOwner } from '../users/quota.ts';
import type { ChangeContext, ChangeHandler } from './handler.ts';
import { mayUse } from './handler.ts';
import { instanceOf } from './instance-lookup.ts';

const ID_KIND = { machine: 'image', kernel: 'kernel', ramdisk: 'ramdisk' } as const;
/** What one record may hold. */
const LAUNCH_PROJECTS_MAX = 500;

export const modifyImageAttribute: ChangeHandler<'ModifyImageAttribute'> = {
  async prepare({ cloud }, { AddProjects = [] }) {
    if (AddProjects.length === 0) return;
    const known = await accountsOf(cloud);
    refuseUnknown(AddProjects, (id) => known.accountOf(id) !== undefined);
  },

  decide(draft, input, context) {
    const { principal, cloud, operationId } = context;
    const { AddProjects = [] } = input;
    if (cloud.directory.kind === 'store' && AddProjects.length > 0) {
      // Changed by whoever deletes a project meanwhile: one key, since a transaction has room for so many guards only.
      draft.get(KEYS.directoryChange);
      refuseUnknown(AddProjects, (id) => draft.peek(KEYS.project(id)) !== undefined);
    }
    const before = ownImage(draft, principal, input.ImageId);
    const record = { ...withPermissions(before, input), ...described(input.Description) };
    draft.put(KEYS.image(record.id), record);
    const image = imageView(record, tagsOf(cloud.store, record.id), principal);
    return { output: { image, operationId }, targets: [record.id] };
  },
};

/** A permission for a project that is yet to be made would be whoever's makes it. */
function refuseUnknown(ids: readonly string[], isProject: (id: string) => boolean): void {
  const unknown = ids.find((id) => !isProject(projectWithoutRegion(id)));
  if (unknown === undefined) return;
  throw new CloudError(
    'InvalidAMIAttributeItemValue',
    `AddProjects: there is no project ${unknown}; see "novactl project list"`,
    { details: { parameter: 'AddProjects' } },
  );
}

const described = (text: string | undefined): Pick<ImageRecord, 'description'> =>
  text === undefined ? {} : { description: text };

function withPermissions(image: ImageRecord, input: OperationParsed<'ModifyImageAttribute'>): ImageRecord {
  const before = input.ResetPermissions === true ? [] : (image.launchProjects ?? []);
  const removed = new Set(input.RemoveProjects);
  const all = [...new Set([...before, ...(input.AddProjects ?? [])])].filter((id) => !removed.has(id));
  if (all.length > LAUNCH_PROJECTS_MAX) {
    throw new CloudError(
      'InvalidAMIAttributeItemValue',
      `AddProjects: at most ${LAUNCH_PROJECTS_MAX} projects may start an image; make it public instead`,
      { details: { parameter: 'AddProjects' } },
    );
  }
  const isPublic = input.Public ?? (input.ResetPermissions === true ? false : image.public);
  return { ...image, public: isPublic, launchProjects: all };
}

/**
 * Made on the instance's host, after this is answered: a stopped disk is read as it is, a running guest is paused for as long as its disk is copied and never
 * rebooted, so that what it had not written yet is as after a power cut. Where hosts are simulated a disk holds what its image holds, so that the new image is of the same bytes.
 */
export const createImage: ChangeHandler<'CreateImage'> = {
  decide(draft, input, context) {
    const { cloud, principal } = context;
    needCapability(cloud.policy.capabilities, 'create-image', 'CreateImage');
    const instance = instanceOf((key) => draft.get<InstanceRecord>(key), principal, input.InstanceId);
    if (instance.state !== 'running' && instance.state !== 'stopped') {
      throw new CloudError(
        'IncorrectInstanceState',
        `InstanceId: ${instance.id} is ${instance.state}; an image is made of one that is running or stopped`,
        { details: { instanceId: instance.id, state: instance.state } },
      );
    }
    const source = draft.get<ImageRecord>(KEYS.image(instance.imageId));
    if (source === undefined) {
      throw new CloudError('InternalError', `the image ${instance.imageId} of ${instance.id} has no record`);
    }
    const { kernelId, ramdiskId } = instance;
    const parts = {
      ...(kernelId === undefined ? {} : { kernelId }),
      ...(ramdiskId === undefined ? {} : { ramdiskId }),
    };
    const known = { ...sameBytes(source), ...parts, sourceId: instance.id };
    if (cloud.policy.simulatedHosts) return copied(draft, known, input, context, input.Tags);
    const { operationId } = context;
    const order = {
      source: { kind: 'instance', instanceId: instance.id, hostId: instance.hostId },
      ...{ context, tags: input.Tags, architecture: source.architecture },
    } as const;
    const record = addPendingImage(draft, newImage(draft, known, input, context), order);
    return {
      output: { image: imageView(record, input.Tags, principal), operationId },
      ...{ targets: [record.id], pending: [record.id] },
    };
  },
};

/** Within the one store a copy is a record over the same bytes. */
export const copyImage: ChangeHandler<'CopyImage'> = {
  decide(draft, input, context) {
    const { cloud, principal } = context;
    const found = findImage(draft, principal, input.SourceImageId, 'SourceImageId');
    const source = draft.get<ImageRecord>(KEYS.image(found.id));
    if (source === undefined)
      throw new CloudError('InvalidAMIID.NotFound', `SourceImageId: ${found.id} is gone already`);
    needAvailable(source, 'SourceImageId');
    const known =
      input.CopyImageTags === true && mayUse(principal, source.projectId) ? tagsOf(cloud.store, source.id) : {};
    const tags = { ...known, ...input.Tags };
    const parts = {
      ...(source.kernelId === undefined ? {} : { kernelId: source.kernelId }),
      ...(source.ramdiskId === undefined ? {} : { ramdiskId: source.ramdiskId }),
      ...described(source.description),
    };
    return copied(draft, { ...sameBytes(source), ...parts, sourceId: source.id }, input, context, tags);
  },
};

type Bytes = Pick<
  ImageRecord,
  | 'kind'
  | 'architecture'
  | 'format'
  | 'blobKey'
  | 'sizeBytes'
  | 'virtualSizeBytes'
  | 'sha256'
  | 'kernelArgs'
  | 'platform'
  | 'rootDeviceName'
  | 'virtualizationType'
>;

function sameBytes(image: ImageRecord): Bytes {
  const { kind, architecture, format, blobKey, sizeBytes, virtualSizeBytes, sha256 } = image;
  const { kernelArgs, platform, rootDeviceName, virtualizationType } = image;
  return {
    ...{ kind, architecture, format, blobKey, sizeBytes, virtualSizeBytes, sha256 },
    ...(kernelArgs === undefined ? {} : { kernelArgs }),
    ...(platform === undefined ? {} : { platform }),
    ...(rootDeviceName === undefined ? {} : { rootDeviceName }),
    ...(virtualizationType === undefined ? {} : { virtualizationType }),
  };
}

type Known = Bytes & Pick<ImageRecord, 'kernelId' | 'ramdiskId' | 'description' | 'sourceId'>;

function copied(
  draft: Draft,
  source: Known,
  input: { readonly Name: string; readonly Description?: string | undefined },
  context: ChangeContext,
  tags: Tags | undefined,
) {
  const record = newImage(draft, source, input, context);
  addImage(draft, record, tags);
  const image = imageView(record, tags, context.principal);
  return { output: { image, operationId: context.operationId }, targets: [record.id] };
}

/** The record of an image like the source, of its own id and name; what it needs to boot is marked as used. */
function newImage(
  draft: Draft,
  source: Known,
  input: { readonly Name: string; readonly Description?: string | undefined },
  { cloud, principal, nowMs }: ChangeContext,
): ImageRecord {
  for (const id of [source.kernelId, source.ramdiskId]) {
    if (id === undefined) continue;
    if (draft.get(KEYS.image(id)) === undefined) {
      throw new CloudError('InvalidAMIID.Unavailable', `${id}, which the new image would need, is gone`);
    }
    draft.put(KEYS.imageUse(id), { v: 1, atMs: nowMs });
  }
  return {
    v: 1,
    ...source,
    id: newId(ID_KIND[source.kind], cloud.random),
    name: input.Name,
    ...quotaOwner(principal),
    public: false,
    ...described(input.Description),
    createdAtMs: nowMs,
  };
}
