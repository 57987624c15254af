import type { ErrorCode } from '../../../base/error-codes.ts';
import type { CloudError } from '../../../base/errors.ts';
import { S3_ERROR_TABLE } from '../../../base/s3-error-codes.ts';
import type { S3Answer } from './s3-action.ts';
import { s3ErrorDocument } from './s3-xml.ts';

/** What a client of S3 is told. */
export interface S3Fault {
  readonly status: number;
  readonly code: string;
  /** Never empty. */
  readonly message: string;
}

interface FaultRow {
  readonly code: string;
  readonly status: number;
  /** The text names what no tenant should see; it is for the log. */
  readonly hidden?: true;
}

const is = (code: string, status: number): FaultRow => ({ code, status });
const inside: FaultRow = { code: 'InternalError', status: 500, hidden: true };
const later: FaultRow = { code: 'ServiceUnavailable', status: 503, hidden: true };

/** Our codes that no client of S3 knows, and those that S3 has another status or word for. */
const FAULTS: Partial<Record<ErrorCode, FaultRow>> = {
  AuthFailure: is('AccessDenied', 403),
  Busy: is('SlowDown', 503),
  Conflict: is('OperationAborted', 409),
  CorruptState: inside,
  IncompleteSignature: is('AuthorizationHeaderMalformed', 400),
  InternalError: inside,
  InvalidClientTokenId: is('InvalidAccessKeyId', 403),
  InvalidParameterCombination: is('InvalidRequest', 400),
  InvalidParameterValue: is('InvalidArgument', 400),
  LockBusy: is('ServiceUnavailable', 503),
  MalformedRequest: is('InvalidRequest', 400),
  MissingAuthenticationToken: is('AccessDenied', 403),
  MissingParameter: is('InvalidRequest', 400),
  NoSuchObjectVersion: is('NoSuchVersion', 404),
  RequestExpired: is('RequestTimeTooSkewed', 403),
  RequestLimitExceeded: is('SlowDown', 503),
  RequestTooLarge: is('MaxMessageLengthExceeded', 400),
  SignatureDoesNotMatch: is('SignatureDoesNotMatch', 403),
  StoragePoisoned: inside,
  Timeout: later,
  Unavailable: later,
  UnauthorizedOperation: is('AccessDenied', 403),
  UnknownParameter: is('InvalidArgument', 400),
  UnsupportedOperation: is('NotImplemented', 501),
};

const MESSAGE_MAX_CHARS = 2048;

function rowOf({ code, status }: CloudError): FaultRow {
  const row = FAULTS[code];
  if (row !== undefined) return row;
  if (Object.hasOwn(S3_ERROR_TABLE, code)) return { code, status };
  // Nothing else is S3's: what the caller could mend is a bad request, and the rest is ours.
  return status >= 500 ? inside : is('InvalidRequest', 400);
}

/** What the client is told of an error; the log has the rest, under the request's id. */
export function s3Fault(error: CloudError, requestId: string): S3Fault {
  const { code, status, hidden } = rowOf(error);
  const text = error.message.trim().slice(0, MESSAGE_MAX_CHARS);
  if (hidden !== true && text !== '') return { status, code, message: text };
  const what = status === 503 ? 'the request can not be served now; try again' : 'an internal error has occurred';
  return { status, code, message: `${what}; the log of the cloud has the cause under request ${requestId}` };
}

/** Details that S3 tells in elements of the error. */
const ELEMENTS: Readonly<Record<string, string>> = {
  accessKeyId: 'AWSAccessKeyId',
  actualObjectSize: 'ActualObjectSize',
  actualPartCount: 'ActualPartCount',
  argumentName: 'ArgumentName',
  argumentValue: 'ArgumentValue',
  bucket: 'BucketName',
  deleteMarker: 'DeleteMarker',
  etag: 'ETag',
  key: 'Key',
  maxBytes: 'MaxSizeAllowed',
  maxSizeAllowed: 'MaxSizeAllowed',
  minSizeAllowed: 'MinSizeAllowed',
  partNumber: 'PartNumber',
  partNumberRequested: 'PartNumberRequested',
  proposedSize: 'ProposedSize',
  rangeRequested: 'RangeRequested',
  region: 'Region',
  requestTime: 'RequestTime',
  serverTime: 'ServerTime',
  size: 'Size',
  storageClassRequested: 'StorageClassRequested',
  stringToSign: 'StringToSign',
  uploadId: 'UploadId',
  versionId: 'VersionId',
};

function elementsOf(details: Record<string, unknown> | undefined): Record<string, string | number | boolean> {
  const told: Record<string, string | number | boolean> = {};
  for (const [name, value] of Object.entries(details ?? {})) {
    const element = ELEMENTS[name];
    if (element === undefined) continue;
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') told[element] = value;
  }
  return told;
}

function headersIn(details: Record<string, unknown> | undefined): Record<string, string> {
  const headers = details?.['headers'];
  if (typeof headers !== 'object' || headers === null) return {};
  return Object.fromEntries(Object.entries(headers).flatMap(([k, v]) => (typeof v === 'string' ? [[k, v]] : [])));
}

export interface FaultAsked {
  readonly requestId: string;
  readonly hostId: string;
  /** The path as the client wrote it; undefined: there is none that can be read. */
  readonly resource: string | undefined;
}

/** An error as it goes out. Not Modified has no body. */
export function s3FaultAnswer(error: CloudError, { requestId, hostId, resource }: FaultAsked): S3Answer {
  const { status, code, message } = s3Fault(error, requestId);
  const own = headersIn(error.details);
  if (status === 304) return { status, headers: own };
  const body = s3ErrorDocument({
    Code: code,
    Message: message,
    ...(status >= 500 ? {} : elementsOf(error.details)),
    Resource: resource?.slice(0, MESSAGE_MAX_CHARS),
    RequestId: requestId,
    HostId: hostId,
  });
  const retry: Record<string, string> = status === 503 ? { 'retry-after': '1' } : {};
  return { status, headers: { 'content-type': 'application/xml', ...retry, ...own }, body };
}
