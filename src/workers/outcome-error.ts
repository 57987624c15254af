import { asCloudError } from '../base/errors.ts';
import type { Outcome } from '../messages/worker.ts';

/** What an outcome says of why the command failed, and at which step. */
export function outcomeError(error: unknown, step: string | undefined): NonNullable<Outcome['error']> {
  const { code, message, retryable } = asCloudError(error);
  return { code, message, retryable, ...(step === undefined ? {} : { step }) };
}
