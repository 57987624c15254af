import { Readable } from 'node:stream';
import { HeadBucketCommand, HeadObjectCommand } from '@aws-sdk/client-s3';
import { CloudError } from '../../base/errors.ts';
import type { ImageAsker } from '../../domain/image-import.ts';
import type { ImageObject, ImageObjects } from '../../ports/image-objects.ts';
import { rangeWithin } from './blob-key.ts';
import { S3Endpoint, type S3Settings } from './s3-endpoint.ts';
import { isFault } from './s3-problems.ts';

export interface S3ImageObjectsParts extends S3Settings {
  /** What anybody may make images of. */
  readonly importBuckets: readonly string[];
  /** Of the cloud's own bytes in `bucket`, which are nobody's objects. */
  readonly prefix: string;
}

interface Named {
  readonly bucket: string;
  readonly key: string;
  readonly versionId?: string;
}

/** The endpoint knows the cloud's key alone: who may read what is decided here. */
function checkAccess(asker: ImageAsker, { bucket, key }: Named, parts: S3ImageObjectsParts): void {
  if (asker.roles.includes('cloudadmin')) return;
  const details = { bucket, key };
  if (!parts.importBuckets.includes(bucket)) {
    const text = `images may be made from bucket ${bucket} by a cloudadmin alone: objectstore.importBuckets does not name it`;
    throw new CloudError('AccessDenied', text, { details });
  }
  if (bucket === parts.bucket && key.startsWith(parts.prefix)) {
    const text = `${bucket}/${key} belongs to the cloud itself (objectstore.prefix): it is no object to make images from`;
    throw new CloudError('AccessDenied', text, { details });
  }
}

async function whyAbsent(endpoint: S3Endpoint, named: Named, error: unknown): Promise<CloudError> {
  const { bucket, key, versionId } = named;
  const at = endpoint.settings.endpoint;
  const details = { bucket, key };
  const isThere = await endpoint
    .ask((client, options) => client.send(new HeadBucketCommand({ Bucket: bucket }), options))
    .then(() => true)
    .catch((problem: unknown) => {
      if (isFault(problem, 'object', 'bucket')) return false;
      throw problem;
    });
  if (!isThere)
    return new CloudError('NoSuchBucket', `there is no bucket ${bucket} at ${at}`, { details, cause: error });
  if (versionId === undefined)
    return new CloudError('NoSuchKey', `there is no ${key} in bucket ${bucket} at ${at}`, { details, cause: error });
  return new CloudError('NoSuchObjectVersion', `${bucket}/${key} has no version ${versionId} at ${at}`, {
    ...{ details, cause: error },
  });
}

/** Errors of the endpoint about an object that somebody named, in the words of the port. */
async function problemOf(endpoint: S3Endpoint, named: Named, error: unknown): Promise<unknown> {
  if (isFault(error, 'object', 'bucket')) return whyAbsent(endpoint, named, error);
  if (!isFault(error, 'denied')) return error;
  const { bucket, key } = named;
  const text = `${endpoint.settings.endpoint} does not let the cloud's access key read ${bucket}/${key}: give objectstore.accessKeyId s3:GetObject there`;
  return new CloudError('AccessDenied', text, { details: { bucket, key }, cause: error });
}

/** Objects of an S3 endpoint that images are made of, all read with the cloud's own key. Errors besides the port's: see s3-problems.ts. */
export function createS3ImageObjects(parts: S3ImageObjectsParts): ImageObjects {
  const endpoint = new S3Endpoint(parts);
  const orSay = <T>(named: Named, work: Promise<T>): Promise<T> =>
    work.catch(async (error: unknown) => {
      throw await problemOf(endpoint, named, error);
    });
  return {
    async open(asker, named): Promise<ImageObject> {
      checkAccess(asker, named, parts);
      const { bucket, key } = named;
      const command = new HeadObjectCommand({
        ...{ Bucket: bucket, Key: key },
        ...(named.versionId === undefined ? {} : { VersionId: named.versionId }),
      });
      const head = await orSay(
        named,
        endpoint.ask((client, options) => client.send(command, options)),
      );
      const { ETag = '', ContentLength: sizeBytes = 0, VersionId: versionId = named.versionId } = head;
      return {
        sizeBytes,
        etag: ETag.replaceAll('"', ''),
        async read(range = {}) {
          const wanted = rangeWithin(range, sizeBytes);
          if (wanted.start >= wanted.end) return Readable.from([]);
          return orSay(named, endpoint.read({ bucket, key, versionId, ifMatch: ETag }, wanted));
        },
      };
    },
  };
}
