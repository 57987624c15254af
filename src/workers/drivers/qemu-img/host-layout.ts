import { CloudError } from '../../../base/errors.ts';
import { isId } from '../../../base/ids.ts';

/** QEMU runs as a user of its own and must be able to walk to its disks; it need not list the folders. */
export const FOLDER_MODE = 0o711;
/** Read by QEMU as a backing file or kernel, written by nobody. */
export const IMAGE_MODE = 0o644;

export interface HostLayout {
  readonly baseDir: string;
  readonly imagesDir: string;
  readonly instancesDir: string;
  /** Bytes of an image: named by their digest, so one file serves every image and instance with the same bytes. */
  imagePath(sha256: string): string;
  /** What the file was when its digest was checked. */
  markerPath(sha256: string): string;
  instanceDir(instanceId: string): string;
  diskPath(instanceId: string): string;
  /** Where the disk is made, before it gets its name. */
  diskTmpPath(instanceId: string): string;
  seedPath(instanceId: string): string;
  /** Disks on their way to become images, and who is paused for it. */
  readonly capturesDir: string;
  captureCopyPath(imageId: string): string;
  captureFlatPath(imageId: string): string;
  pausedPath(instanceId: string): string;
}

function checkedId(instanceId: string): string {
  if (isId('instance', instanceId)) return instanceId;
  throw new CloudError('InvalidParameterValue', `"${instanceId}" is not an instance id`);
}

function checkedImage(imageId: string): string {
  if (isId('image', imageId)) return imageId;
  throw new CloudError('InvalidParameterValue', `"${imageId}" is not the id of a machine image`);
}

function checkedDigest(sha256: string): string {
  if (/^[0-9a-f]{64}$/.test(sha256)) return sha256;
  throw new CloudError('InvalidParameterValue', `"${sha256}" is not a SHA-256`);
}

/** Where image files and disks are on a host. Ids and digests are checked, so that none becomes another path. */
export function hostLayout(baseDir: string): HostLayout {
  const imagesDir = `${baseDir}/images`;
  const instancesDir = `${baseDir}/instances`;
  const capturesDir = `${baseDir}/captures`;
  const instanceDir = (instanceId: string): string => `${instancesDir}/${checkedId(instanceId)}`;
  return {
    baseDir,
    imagesDir,
    instancesDir,
    imagePath: (sha256) => `${imagesDir}/${checkedDigest(sha256)}`,
    markerPath: (sha256) => `${imagesDir}/${checkedDigest(sha256)}.json`,
    instanceDir,
    diskPath: (instanceId) => `${instanceDir(instanceId)}/disk.qcow2`,
    diskTmpPath: (instanceId) => `${instanceDir(instanceId)}/disk.qcow2.tmp`,
    seedPath: (instanceId) => `${instanceDir(instanceId)}/seed.iso`,
    capturesDir,
    captureCopyPath: (imageId) => `${capturesDir}/${checkedImage(imageId)}.copy.qcow2`,
    captureFlatPath: (imageId) => `${capturesDir}/${checkedImage(imageId)}.flat.qcow2`,
    pausedPath: (instanceId) => `${capturesDir}/${checkedId(instanceId)}.paused`,
  };
}
