import type { ExitCode } from './exit-codes.ts';

/** What each error code means at the edges. `exit` is the CLI's exit code (see the man page novactl(1)). */
interface ErrorRow {
  readonly status: number;
  readonly exit: ExitCode;
  readonly retryable: boolean;
}

const row = (status: number, exit: ExitCode, retryable = false): ErrorRow => ({ status, exit, retryable });

/** EC2's codes where EC2 has one; ours for the rest. The single table of code -> HTTP status, exit code, retryable. */
export const ERROR_TABLE = {
  InternalError: row(500, 1),
  InvalidParameterValue: row(400, 2),
  MissingParameter: row(400, 2),
  UnknownParameter: row(400, 2),
  InvalidParameterCombination: row(400, 2),
  InvalidAction: row(400, 2),
  MalformedRequest: row(400, 2),
  RequestTooLarge: row(413, 2),
  'InvalidInstanceID.NotFound': row(404, 3),
  'InvalidInstanceID.Malformed': row(400, 2),
  'InvalidAMIID.NotFound': row(404, 3),
  'InvalidAMIID.Ambiguous': row(400, 2),
  'InvalidAMIID.Unavailable': row(409, 5),
  'InvalidKeyPair.NotFound': row(404, 3),
  'InvalidKeyPair.Duplicate': row(409, 5),
  'InvalidKey.Format': row(400, 2),
  'InvalidInstanceType.NotFound': row(404, 3),
  'InvalidHost.NotFound': row(404, 3),
  'InvalidService.NotFound': row(404, 3),
  'InvalidHost.Duplicate': row(409, 5),
  'InvalidHost.InUse': row(409, 5),
  'InvalidOperationID.NotFound': row(404, 3),
  'InvalidImage.Format': row(400, 2),
  'InvalidAMIID.InUse': row(409, 5),
  NotFound: row(404, 3),
  AlreadyExists: row(409, 5),
  IncorrectInstanceState: row(409, 5),
  IncorrectState: row(409, 5),
  Conflict: row(409, 5),
  IdempotentParameterMismatch: row(409, 5),
  OperationNotPermitted: row(403, 4),
  AuthFailure: row(401, 4),
  MissingAuthenticationToken: row(403, 4),
  IncompleteSignature: row(400, 4),
  SignatureDoesNotMatch: row(403, 4),
  InvalidClientTokenId: row(403, 4),
  RequestExpired: row(400, 4),
  'InvalidAccessKeyID.NotFound': row(404, 3),
  'InvalidUser.NotFound': row(404, 3),
  UnauthorizedOperation: row(403, 4),
  UnsupportedOperation: row(400, 5),
  DryRunOperation: row(412, 0),
  InsufficientInstanceCapacity: row(503, 6, true),
  InsufficientFreeAddresses: row(503, 6, true),
  InstanceLimitExceeded: row(400, 6),
  RequestLimitExceeded: row(503, 6, true),
  Unavailable: row(503, 7, true),
  Timeout: row(504, 8, true),
  LockBusy: row(409, 9, true),
  StaleEpoch: row(409, 5),
  NotOwner: row(503, 7, true),
  StateHeld: row(503, 7),
  PartlyDone: row(500, 10),
  Unreachable: row(409, 11),
  PlanStale: row(409, 12),
  CorruptState: row(500, 1),
  StoragePoisoned: row(500, 1),
  HypervisorError: row(500, 1, true),
  HostError: row(500, 1, true),
  Busy: row(409, 5, true),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERROR_TABLE;
