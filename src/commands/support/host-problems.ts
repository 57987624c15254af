import { CloudError } from '../../base/errors.ts';
import type { ErrorCode } from '../../base/error-codes.ts';
import type { Session } from './session.ts';

interface HostProblem {
  readonly hostName: string;
  readonly code: string;
  readonly message: string;
}

/** Says what went wrong on which host. Throws 'PartlyDone' when it went well on others, else what the first one said. */
export function throwHostProblems(session: Session, problems: readonly HostProblem[], wellHosts: number): void {
  const [first] = problems;
  if (first === undefined) return;
  const all = problems.map(({ hostName, message }) => `${hostName}: ${message}`);
  if (wellHosts === 0 && all.length === 1) {
    throw CloudError.unflatten({ code: first.code as ErrorCode, message: all[0] ?? '' });
  }
  for (const text of all) session.output.message(text);
  const message = `${all.length} of ${all.length + wellHosts} hosts did not do it`;
  if (wellHosts > 0) throw new CloudError('PartlyDone', message);
  throw CloudError.unflatten({ code: first.code as ErrorCode, message });
}
