import { CloudError } from '../../../../base/errors.ts';
import { presignUrl, PRESIGN_MAX_S } from '../../../../base/signature/presign-url.ts';
import type { BucketCall, S3Action, S3Answer } from '../s3-action.ts';
import { isoTime, xmlAnswer } from './answers.ts';
import { invalidArgument, notImplemented, versioned } from './asked.ts';
import { lookUp } from './get-object.ts';
import { maybe, node, one, whole, word, xmlBody } from './xml-request.ts';

const REQUEST = node({
  Method: one(word),
  ExpiresSeconds: one(whole),
  AccessKeyId: maybe(word),
  VersionId: maybe(word),
});
const PERMISSIONS = { GET: 's3:GetObject', PUT: 's3:PutObject' } as const;
type Method = keyof typeof PERMISSIONS;

const isMethod = (text: string): text is Method => Object.hasOwn(PERMISSIONS, text);

/**
 * An extension of this cloud: an address by which whoever has it may get or put the object, signed with a key of the caller. Here rather than at the caller, who need
 * not have the secret at hand. It gives no more than that key may: that is looked at here, and again when it is used.
 */
async function presign(call: BucketCall): Promise<S3Answer> {
  const { presigning, caller, bucket, key, bucketName, region, nowMs } = call;
  if (presigning === undefined) throw notImplemented('x-novactl-presign: addresses are not signed here');
  if (caller.kind !== 'key') throw new CloudError('AccessDenied', 'who has no access key has nothing to sign with');
  const { Method: method, ExpiresSeconds: expiresS, ...asked } = await xmlBody(call, 'PresignRequest', REQUEST);
  if (!isMethod(method)) throw invalidArgument('Method', method, 'GET or PUT');
  if (expiresS < 1 || expiresS > PRESIGN_MAX_S)
    throw invalidArgument('ExpiresSeconds', String(expiresS), `a whole number from 1 to ${PRESIGN_MAX_S}`);
  const url = presigning.url();
  if (url === undefined) {
    const text = 'S3 listens nowhere, so that no address leads to it: set objectstore.listen and restart the cloud';
    throw new CloudError('NotImplemented', text);
  }
  const versionId = method === 'GET' ? asked.VersionId : undefined;
  const signer = presigning.keyFor({
    ...{ principal: caller.principal, bucketProjectId: bucket.projectId, accessKeyId: asked.AccessKeyId },
  });
  const signing = await call.asKey(signer.named);
  await signing.require(versioned(PERMISSIONS[method], versionId), bucket, key, versionId);
  if (method === 'GET') await lookUp(call, key, versionId);
  const { protocol, host } = new URL(url);
  const signed = presignUrl(
    {
      ...{ method, protocol, host, region, nowMs, service: 's3', expiresS, path: `/${bucketName}/${key}` },
      parameters: versionId === undefined ? undefined : { versionId },
    },
    signer.key,
  );
  return xmlAnswer('PresignResult', {
    Url: signed,
    AccessKeyId: signer.named.accessKeyId,
    ExpiresAt: isoTime(nowMs + expiresS * 1000),
  });
}

export const PRESIGN_ACTIONS: readonly S3Action[] = [
  { name: 'PresignObject', level: 'object', method: 'POST', query: 'x-novactl-presign', perform: presign },
];
