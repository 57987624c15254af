import type { KeyObject } from 'node:crypto';
import type { Readable } from 'node:stream';
import { CloudError } from '../../../base/errors.ts';
import type { ImageKind } from '../../../domain/image-format.ts';
import type { ImageObject } from '../../../ports/image-objects.ts';

/** What opens a bundle, and whose signature is taken. */
export interface BundleKeys {
  /** RSA: the half of the cloud's bundling certificate (`cloud-cert.pem`) that nobody else has. */
  readonly privateKey: KeyObject;
  /** Public halves of the certificates that the registering user has, RSA, neither over nor revoked. */
  readonly signers: readonly KeyObject[];
  /** For people: whose they are. */
  readonly userName: string;
}

export interface OpenedBundle {
  /** The image. Reads the parts as it is read; an error is 'InvalidImage.Format' with the reason, or what a part's object throws. Destroy it if it is not read to its end. */
  readonly image: Readable;
  readonly sizeBytes: number;
  readonly kind: ImageKind;
  readonly architecture?: 'x86_64' | 'arm64';
  readonly kernelId?: string;
  readonly ramdiskId?: string;
  readonly name?: string;
}

/**
 * Opens an EC2 bundle: reads and checks its manifest, which must be signed by the user who registers it, and gives the image inside. What is in the parts is checked as it is read.
 * Errors: 'InvalidImage.Format' with the reason, those of `objects`.
 */
export function openBundle(
  _objects: (key: string) => Promise<ImageObject>,
  _manifestKey: string,
  _keys: BundleKeys,
): Promise<OpenedBundle> {
  return Promise.reject(new CloudError('UnsupportedOperation', 'bundles are not read yet'));
}
