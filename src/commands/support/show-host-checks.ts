import type { OperationInput } from '../../messages/operations/index.ts';
import { checkSummary, hostCheckListing, mendLines } from '../../views/host-checks.ts';
import type { Session } from './session.ts';

/** What a failed preflight exits with: the state of the machine does not allow it. */
const FAILED = 5;

/** Has a machine looked at, shows what was found, and answers the exit code. */
export async function showHostChecks(
  session: Session,
  name: string,
  input: OperationInput<'CheckHost'>,
): Promise<number> {
  const answer = await session.read('CheckHost', input);
  await session.show(hostCheckListing(answer, { host: name }));
  if (session.io.stdout.isTty) for (const line of mendLines(answer)) session.output.message(line);
  session.output.message(`${name}: ${checkSummary(answer)}`);
  return answer.ok ? 0 : FAILED;
}
