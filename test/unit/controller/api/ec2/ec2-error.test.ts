import { describe, expect, it } from 'vitest';
import { ERROR_TABLE, type ErrorCode } from '../../../../../src/base/error-codes.ts';
import { CloudError } from '../../../../../src/base/errors.ts';
import { ec2Fault } from '../../../../../src/controller/api/ec2/ec2-error.ts';

const codes = Object.keys(ERROR_TABLE) as ErrorCode[];
const SECRET = 'stderr of host 10.0.0.7: /var/lib/thing';

/** Codes of our own, which no client of EC2 knows. */
const OURS = [
  ...[
    'AlreadyExists',
    'Busy',
    'Conflict',
    'CorruptState',
    'HostError',
    'HypervisorError',
    'LockBusy',
    'MalformedRequest',
  ],
  ...['NotFound', 'NotOwner', 'PartlyDone', 'PlanStale', 'StaleEpoch', 'StateHeld', 'StoragePoisoned', 'Timeout'],
  ...['Unreachable', 'InvalidHost.NotFound', 'InvalidService.NotFound', 'InvalidOperationID.NotFound'],
  ...['InvalidUser.NotFound', 'InvalidProject.NotFound', 'InvalidAccessKeyID.NotFound'],
];

describe('what a client of EC2 is told of an error', () => {
  it('has a status and a message that is not empty, whatever the code', () => {
    for (const code of codes) {
      for (const text of ['', '  ', 'because']) {
        const fault = ec2Fault(new CloudError(code, text), 'req-1');
        expect(fault.message.trim(), code).not.toBe('');
        expect([400, 401, 403, 412, 413, 500, 501, 503], code).toContain(fault.status);
      }
    }
  });

  it('has a code that EC2 has', () => {
    const given = codes.map((code) => ec2Fault(new CloudError(code, 'because'), 'req-1').code);
    expect(given.filter((code) => OURS.includes(code))).toEqual([]);
    expect(OURS.filter((code) => !codes.includes(code as ErrorCode))).toEqual([]);
  });

  it('keeps what went wrong inside to itself, and names the request', () => {
    for (const code of [
      'InternalError',
      'HostError',
      'HypervisorError',
      'CorruptState',
      'StoragePoisoned',
      'Timeout',
    ] as const) {
      const { message } = ec2Fault(new CloudError(code, SECRET), 'req-77');
      expect(message, code).not.toContain('10.0.0.7');
      expect(message, code).toContain('req-77');
    }
  });

  it('has the statuses that EC2 has', () => {
    const statusOf = (code: ErrorCode): number => ec2Fault(new CloudError(code, 'because'), 'req-1').status;
    expect(statusOf('InvalidInstanceID.NotFound')).toBe(400);
    expect(statusOf('IncorrectInstanceState')).toBe(400);
    expect(statusOf('AuthFailure')).toBe(401);
    expect(statusOf('SignatureDoesNotMatch')).toBe(401);
    expect(statusOf('UnauthorizedOperation')).toBe(403);
    expect(statusOf('DryRunOperation')).toBe(412);
    expect(statusOf('RequestLimitExceeded')).toBe(503);
    expect(statusOf('Unavailable')).toBe(503);
  });

  it('is cut where it is long', () => {
    expect(ec2Fault(new CloudError('InvalidParameterValue', 'x'.repeat(100_000)), 'req-1').message.length).toBe(2048);
  });
});
