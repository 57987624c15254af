import type { CloudError } from '../../../base/errors.ts';
import type { ErrorCode } from '../../../base/error-codes.ts';

/** What a client of EC2 is told. */
export interface Ec2Fault {
  readonly status: number;
  readonly code: string;
  /** Never empty: the AWS CLI fails over an empty one. */
  readonly message: string;
}

interface FaultRow {
  readonly code: string;
  readonly status: number;
  /** The text names what no tenant should see; it is for the log. */
  readonly hidden?: true;
}

const is = (code: string, status = 400): FaultRow => ({ code, status });
const inside: FaultRow = { code: 'InternalError', status: 500, hidden: true };

/** Our codes that no client of EC2 knows, and those whose status EC2 has otherwise. Every other code is EC2's own already. */
const FAULTS: Partial<Record<ErrorCode, FaultRow>> = {
  AlreadyExists: is('IdempotentParameterMismatch'),
  AuthFailure: is('AuthFailure', 401),
  Busy: is('Unavailable', 503),
  Conflict: is('IncorrectState'),
  CorruptState: inside,
  DryRunOperation: is('DryRunOperation', 412),
  HostError: inside,
  HypervisorError: inside,
  InsufficientInstanceCapacity: is('InsufficientInstanceCapacity', 500),
  InsufficientFreeAddresses: is('InsufficientFreeAddressesInSubnet'),
  InternalError: inside,
  'InvalidAMIID.Ambiguous': is('InvalidAMIID.Malformed'),
  'InvalidAMIID.InUse': is('OperationNotPermitted'),
  'InvalidAccessKeyID.NotFound': is('InvalidParameterValue'),
  // EC2 does not tell an unknown key from a wrong secret.
  InvalidClientTokenId: is('AuthFailure', 401),
  'InvalidHost.Duplicate': is('InvalidParameterValue'),
  'InvalidHost.InUse': is('IncorrectState'),
  'InvalidHost.NotFound': is('InvalidParameterValue'),
  'InvalidImage.Format': is('InvalidParameterValue'),
  'InvalidInstanceType.NotFound': is('InvalidInstanceType'),
  'InvalidOperationID.NotFound': is('InvalidParameterValue'),
  'InvalidProject.Duplicate': is('InvalidParameterValue'),
  'InvalidProject.InUse': is('DependencyViolation'),
  'InvalidProject.NotFound': is('InvalidParameterValue'),
  'InvalidService.NotFound': is('InvalidParameterValue'),
  'InvalidUser.Duplicate': is('InvalidParameterValue'),
  'InvalidUser.InUse': is('DependencyViolation'),
  'InvalidUser.NotFound': is('InvalidParameterValue'),
  LockBusy: is('Unavailable', 503),
  MalformedRequest: is('MalformedQueryString'),
  MissingAuthenticationToken: is('MissingAuthenticationToken', 403),
  NotFound: is('InvalidParameterValue'),
  NotOwner: { code: 'Unavailable', status: 503, hidden: true },
  PartlyDone: is('InternalError', 500),
  PlanStale: is('IncorrectState'),
  RequestTooLarge: is('RequestTooLarge', 413),
  SignatureDoesNotMatch: is('AuthFailure', 401),
  StaleEpoch: { code: 'Unavailable', status: 503, hidden: true },
  StateHeld: is('Unavailable', 503),
  StoragePoisoned: inside,
  Timeout: { code: 'Unavailable', status: 503, hidden: true },
  UnauthorizedOperation: is('UnauthorizedOperation', 403),
  Unreachable: is('IncorrectState'),
};

const MESSAGE_MAX_CHARS = 2048;

/** What the client is told of an error; the log has the rest, under the request's id. */
export function ec2Fault(error: CloudError, requestId: string): Ec2Fault {
  // EC2 answers 400 to what the caller could mend, whatever it is.
  const row = FAULTS[error.code] ?? { code: error.code, status: error.status >= 500 ? error.status : 400 };
  const { code, status } = row;
  const text = error.message.trim().slice(0, MESSAGE_MAX_CHARS);
  if (row.hidden !== true && text !== '') return { status, code, message: text };
  const what = status === 503 ? 'the request can not be served now' : 'an internal error has occurred';
  return { status, code, message: `${what}; the log of the cloud has the cause under request ${requestId}` };
}
