import { status, type ServiceError } from '@grpc/grpc-js';
import { CloudError } from '../../../base/errors.ts';
import type { ErrorCode } from '../../../base/error-codes.ts';

/** What a failed call means: the error for the caller, and whether the next call should try another server. */
export interface GrpcProblem {
  readonly error: CloudError;
  readonly elsewhere: boolean;
}

/**
 * One way to fail. etcd tells several things by one gRPC code and then by a fixed sentence, which is part of its API (rpctypes/error.go);
 * `says` looks for that.
 */
interface Row {
  readonly grpc: readonly number[];
  readonly says?: RegExp;
  readonly code: ErrorCode;
  readonly details?: Record<string, unknown>;
  readonly text: string;
  readonly elsewhere?: boolean;
}

/** How OpenSSL and Node speak of certificates that were not taken, by them or by the other side (alerts of RFC 8446 §6.2). */
const TLS_REFUSAL = /certificate|self[- ]signed|unknown ca|UNABLE_TO_/i;

const {
  CANCELLED,
  UNKNOWN,
  INVALID_ARGUMENT,
  DEADLINE_EXCEEDED,
  NOT_FOUND,
  PERMISSION_DENIED,
  RESOURCE_EXHAUSTED,
  OUT_OF_RANGE,
  UNIMPLEMENTED,
  INTERNAL,
  UNAVAILABLE,
  DATA_LOSS,
  UNAUTHENTICATED,
} = status;

/** The first row that fits counts. */
const ROWS: readonly Row[] = [
  {
    grpc: [RESOURCE_EXHAUSTED],
    says: /database space exceeded/,
    ...{ code: 'Unavailable', details: { reason: 'noSpace' } },
    text: 'etcd has no space left (alarm NOSPACE): nothing was written. Compact and defragment it, then lower the alarm: etcdctl alarm disarm',
  },
  {
    grpc: [RESOURCE_EXHAUSTED],
    says: /^Received message larger than max/,
    ...{ code: 'Unavailable', details: { reason: 'answerTooLarge' } },
    text: 'the answer of etcd is larger than is taken: ask for less at a time',
  },
  {
    grpc: [RESOURCE_EXHAUSTED],
    says: /^grpc: received message larger than max/,
    code: 'InvalidParameterValue',
    text: 'the request is larger than etcd takes; nothing was written',
  },
  { grpc: [INVALID_ARGUMENT], code: 'InvalidParameterValue', text: 'etcd refuses the request, nothing was written' },
  {
    grpc: [OUT_OF_RANGE],
    says: /compacted/,
    ...{ code: 'Unavailable', details: { compacted: true } },
    text: 'etcd has forgotten that revision',
  },
  {
    grpc: [OUT_OF_RANGE],
    says: /future revision/,
    ...{ code: 'Unavailable', details: { reason: 'futureRevision' } },
    text: 'etcd has not reached that revision: it was restored from an older copy, or is another one',
  },
  {
    grpc: [NOT_FOUND],
    says: /lease not found/,
    ...{ code: 'Unavailable', details: { reason: 'leaseGone' } },
    text: 'the lease is over; nothing was written',
  },
  {
    grpc: [PERMISSION_DENIED, UNAUTHENTICATED],
    ...{ code: 'Unavailable', details: { reason: 'denied' } },
    text: 'etcd does not let this client do that; look at the role of the user that its certificate names',
  },
  {
    grpc: [UNAVAILABLE],
    says: TLS_REFUSAL,
    ...{ code: 'Unavailable', details: { reason: 'denied' } },
    text: "etcd and this client don't accept each other's certificates; look at store.etcd.caFile, certFile and keyFile",
    elsewhere: true,
  },
  {
    grpc: [UNIMPLEMENTED],
    code: 'Unavailable',
    text: 'what answers is no etcd of version 3.4 or later',
    elsewhere: true,
  },
  {
    grpc: [DATA_LOSS],
    ...{ code: 'Unavailable', details: { reason: 'corrupt' } },
    text: 'etcd says that its data are damaged',
  },
  {
    grpc: [DEADLINE_EXCEEDED],
    code: 'Unavailable',
    text: 'etcd did not answer in time; whether the change happened is not known',
    elsewhere: true,
  },
  {
    grpc: [CANCELLED, UNKNOWN, RESOURCE_EXHAUSTED, INTERNAL, UNAVAILABLE],
    code: 'Unavailable',
    text: 'etcd can not be reached or can not answer; whether a change happened is not known',
    elsewhere: true,
  },
];

const OTHER: Row = { grpc: [], code: 'Unavailable', text: 'etcd answers with an error' };

/** What a status other than OK, or a failed connection, means. */
export function grpcProblem(failure: Pick<ServiceError, 'code' | 'details'>, endpoint: string): GrpcProblem {
  const { code } = failure;
  const said = failure.details
    .replace(/\. Resolution note: $/, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  const row = ROWS.find(({ grpc, says }) => grpc.includes(code) && (says === undefined || says.test(said))) ?? OTHER;
  const error = new CloudError(row.code, `${row.text} (${endpoint}: ${said})`, {
    details: { ...row.details, endpoint, grpc: code },
    cause: failure,
  });
  return { error, elsewhere: row.elsewhere ?? false };
}
