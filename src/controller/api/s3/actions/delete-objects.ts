import { asCloudError, CloudError } from '../../../../base/errors.ts';
import { S3_LIMITS } from '../../../../domain/s3/records.ts';
import type { Removal } from '../../../../ports/object-store.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import type { S3Tree } from '../s3-xml.ts';
import { emptyAnswer, versionHeader, xmlAnswer } from './answers.ts';
import { checkKey, notImplemented, requireObject, versioned } from './asked.ts';
import { checksumGiven } from './checksum-names.ts';
import { bareEtag, writeConditions } from './conditions.ts';
import { maybe, node, one, text, word, xmlBody, yesNo } from './xml-request.ts';
import { z } from 'zod';

/** Conditions that would be passed over, and the object be gone. */
const UNKNOWN_CONDITIONS = ['if-none-match', 'x-amz-if-match-last-modified-time', 'x-amz-if-match-size'];

async function deleteObject(call: BucketCall): Promise<S3Answer> {
  const versionId = await requireObject(call, 's3:DeleteObject');
  const unknown = UNKNOWN_CONDITIONS.find((name) => call.header(name) !== undefined);
  if (unknown !== undefined) throw notImplemented(`${unknown}: what deletes knows If-Match alone`);
  const { ifMatch } = writeConditions(call);
  const removal = await call.store.removeObject(call.bucket.name, call.key, {
    ...(versionId === undefined ? {} : { versionId }),
    ...(ifMatch === undefined ? {} : { ifMatch }),
  });
  return emptyAnswer(204, {
    ...versionHeader(call.bucket, removal.versionId),
    ...(removal.deleteMarker ? { 'x-amz-delete-marker': 'true' } : {}),
  });
}

const OBJECT = node({
  Key: one(text),
  VersionId: maybe(word),
  ETag: maybe(word),
  LastModifiedTime: maybe(word),
  Size: maybe(word),
});
const DELETE = node({ Quiet: maybe(yesNo), Object: z.array(OBJECT).min(1).max(S3_LIMITS.deletesPerCall) });
type ToDelete = z.output<typeof OBJECT>;
/** A thousand keys of 1,024 bytes, each byte written as a reference. */
const MAX_BYTES = 8 * 1024 * 1024;

async function removeOne(call: BucketCall, asked: ToDelete): Promise<Removal> {
  const { Key: key, VersionId: versionId, ETag } = asked;
  if (key === '') throw new CloudError('InvalidArgument', 'Key: is empty');
  if (versionId === '') throw new CloudError('InvalidArgument', 'VersionId: is empty');
  checkKey(key);
  if (asked.LastModifiedTime !== undefined || asked.Size !== undefined)
    throw notImplemented('LastModifiedTime and Size are conditions of directory buckets: use ETag');
  await call.require(versioned('s3:DeleteObject', versionId), call.bucket, key, versionId);
  return call.store.removeObject(call.bucket.name, key, {
    ...(versionId === undefined ? {} : { versionId }),
    ...(ETag === undefined ? {} : { ifMatch: bareEtag(ETag) }),
  });
}

function deletedTree(call: BucketCall, { Key, VersionId }: ToDelete, removal: Removal): S3Tree {
  const made = removal.deleteMarker;
  return {
    Deleted: {
      Key,
      VersionId,
      DeleteMarker: made ? true : undefined,
      DeleteMarkerVersionId: made && call.bucket.versioning !== 'off' ? removal.versionId : undefined,
    },
  };
}

function errorTree({ Key, VersionId }: ToDelete, thrown: unknown): S3Tree {
  const error = asCloudError(thrown);
  const internal = error.code === 'InternalError' || error.status >= 500;
  const Message = internal ? 'it failed within the object store: try again' : error.message;
  const Code = error.code === 'NoSuchObjectVersion' ? 'NoSuchVersion' : internal ? 'InternalError' : error.code;
  return { Error: { Key, VersionId, Code, Message } };
}

/** A list that was changed on its way would delete something else: it comes with a digest, as S3 asks. */
function requireDigest(call: BucketCall): void {
  const isThere = ['content-md5', 'x-amz-trailer'].some((name) => call.header(name) !== undefined);
  if (isThere || checksumGiven(call) !== undefined) return;
  throw new CloudError('InvalidRequest', 'Content-MD5 or an x-amz-checksum- header is needed with a list to delete');
}

async function deleteObjects(call: BucketCall): Promise<S3Answer> {
  requireDigest(call);
  const { Quiet = false, Object: asked } = await xmlBody(call, 'Delete', DELETE, MAX_BYTES);
  // Together: the store makes one commit of what comes at once.
  const results = await Promise.allSettled(asked.map((one) => removeOne(call, one)));
  const trees = results.flatMap((result, index) => {
    const of = asked[index];
    if (of === undefined) return [];
    if (result.status === 'rejected') return [errorTree(of, result.reason)];
    return Quiet ? [] : [deletedTree(call, of, result.value)];
  });
  return xmlAnswer('DeleteResult', { '': trees });
}

export const DELETE_ACTIONS: readonly S3Action[] = [
  { name: 'DeleteObject', level: 'object', method: 'DELETE', perform: deleteObject },
  { name: 'DeleteObjects', level: 'bucket', method: 'POST', query: 'delete', perform: deleteObjects },
];
