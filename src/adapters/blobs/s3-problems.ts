import { S3ServiceException } from '@aws-sdk/client-s3';
import { CloudError, errorText } from '../../base/errors.ts';

/** What an answer of an endpoint means, whatever its text. */
export type Fault = 'bucket' | 'object' | 'changed' | 'upload' | 'key' | 'denied' | 'region' | 'full' | 'unavailable';

const FAULTS: Readonly<Record<string, Fault>> = {
  NoSuchBucket: 'bucket',
  NoSuchKey: 'object',
  NotFound: 'object',
  NoSuchVersion: 'object',
  NoSuchUpload: 'upload',
  PreconditionFailed: 'changed',
  InvalidAccessKeyId: 'key',
  SignatureDoesNotMatch: 'key',
  InvalidClientTokenId: 'key',
  ExpiredToken: 'key',
  AuthorizationHeaderMalformed: 'region',
  PermanentRedirect: 'region',
  QuotaExceeded: 'full',
  XMinioStorageFull: 'full',
  // Of a HEAD there is no body that could say more.
  '301': 'region',
  '403': 'denied',
  '404': 'object',
  '412': 'changed',
  '507': 'full',
};

/** What the network says, for people. TLS's own codes are many and say the same thing. */
const NETWORK: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name server does not answer',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ETIMEDOUT: 'it did not answer in time',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
};
const UNTRUSTED = /^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|CERT_|ERR_SSL|CERTIFICATE)/;

/** Where the bytes are, as errors name it. */
export interface EndpointNames {
  readonly endpoint: string;
  readonly bucket: string;
}

/** What is wrong and which setting mends it. */
const TEXTS: Readonly<Record<Fault, (at: EndpointNames, said: string) => string>> = {
  bucket: ({ endpoint, bucket }) => `${endpoint} has no bucket ${bucket}: make it there, or correct objectstore.bucket`,
  object: ({ endpoint, bucket }, said) => `${endpoint} has no such object in ${bucket} (${said})`,
  changed: ({ endpoint }, said) => `an object at ${endpoint} was replaced while it was read (${said})`,
  upload: ({ endpoint }, said) => `${endpoint} does not know the upload any more (${said})`,
  key: ({ endpoint }, said) =>
    `${endpoint} does not take the cloud's access key (${said}): see objectstore.accessKeyId and objectstore.secretKeyFile`,
  denied: ({ endpoint, bucket }, said) =>
    `${endpoint} refuses the cloud's access key in ${bucket} (${said}): see objectstore.accessKeyId and objectstore.secretKeyFile, and what the key may do there`,
  region: ({ endpoint }, said) => `${endpoint} is of another region (${said}): see objectstore.region`,
  full: ({ endpoint }, said) => `${endpoint} has no room left (${said})`,
  unavailable: ({ endpoint }, said) => `the object store at ${endpoint} can't be asked: ${said}`,
};

interface Answered {
  readonly name: string;
  readonly status: number | undefined;
  readonly message: string;
}

function answerOf(error: unknown): Answered | undefined {
  if (!(error instanceof S3ServiceException)) return undefined;
  return { name: error.name, status: error.$metadata.httpStatusCode, message: error.message };
}

/** Whether the endpoint refused a request because its clock is too far from this machine's. */
export const isClockRefusal = (error: unknown): boolean => answerOf(error)?.name === 'RequestTimeTooSkewed';

/** What the endpoint meant; 'unavailable' for all that it did not say itself, and for its own trouble. */
export function faultOf(error: unknown): Fault {
  const answer = answerOf(error);
  if (answer === undefined) return 'unavailable';
  if ((answer.status ?? 500) >= 500 && answer.status !== 507) return 'unavailable';
  return FAULTS[answer.name] ?? FAULTS[String(answer.status)] ?? 'unavailable';
}

function networkText(error: unknown): string {
  const { code = '', name } = error as { code?: string; name?: string };
  if (name === 'TimeoutError') return 'it did not answer in time';
  const known = NETWORK[code];
  if (known !== undefined) return `${known} (${code})`;
  if (UNTRUSTED.test(code)) return `its certificate is not trusted (${code}): see objectstore.caFile`;
  return errorText(error);
}

/** With a `fault` in its details, for whoever can make more of it. */
export function endpointProblem(error: unknown, at: EndpointNames): CloudError {
  if (error instanceof CloudError) return error;
  const fault = faultOf(error);
  const answer = answerOf(error);
  const said = answer === undefined ? networkText(error) : `${answer.status ?? ''} ${answer.name}`.trim();
  return new CloudError('Unavailable', TEXTS[fault](at, said), {
    cause: error,
    details: { endpoint: at.endpoint, bucket: at.bucket, fault },
  });
}

export const timedOut = ({ endpoint }: EndpointNames, timeoutMs: number): CloudError =>
  new CloudError('Unavailable', `the object store at ${endpoint} did not answer within ${timeoutMs} ms`, {
    details: { endpoint, timeoutMs, fault: 'unavailable' },
  });

/** Whether that is what the endpoint meant. */
export function isFault(error: unknown, ...faults: Fault[]): boolean {
  return error instanceof CloudError && faults.includes(error.details?.['fault'] as Fault);
}
