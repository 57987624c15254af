import { asCloudError } from '../../../base/errors.ts';
import type { Random } from '../../../base/random.ts';
import type { S3Door } from './s3-edge.ts';
import { s3ErrorDocument } from './s3-xml.ts';

/** Answers everything with why there are no objects here. Its callers are the cloud's own people, who are told the whole text. */
export function refusingDoor(random: Random, thrown: unknown): S3Door {
  const { code, message } = asCloudError(thrown);
  const isNever = code === 'UnsupportedOperation';
  return {
    answerAs(_known, { url }) {
      const bytes = random.bytes(32);
      const [requestId, hostId] = [bytes.toString('hex', 0, 8).toUpperCase(), bytes.toString('base64', 8)];
      const body = s3ErrorDocument({
        ...{ Code: isNever ? 'NotImplemented' : 'ServiceUnavailable', Message: message, Resource: url.split('?')[0] },
        ...{ RequestId: requestId, HostId: hostId },
      });
      const headers = { 'content-type': 'application/xml', 'x-amz-request-id': requestId, 'x-amz-id-2': hostId };
      return Promise.resolve({ answer: { status: isNever ? 501 : 503, headers, body }, sent: () => undefined });
    },
  };
}
