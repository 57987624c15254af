import { ERROR_TABLE } from '../../base/error-codes.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { ExitCode } from '../../base/exit-codes.ts';
import type { Output } from '../../views/output.ts';
import { Interrupted } from './io.ts';

const exitOf = (error: unknown): ExitCode => {
  if (error instanceof Interrupted) return 130;
  return error instanceof CloudError ? ERROR_TABLE[error.code].exit : 1;
};

/** Codes whose text alone says all: bad usage, and what the command line itself refused. */
const BARE = new Set<string>([
  'InvalidParameterValue',
  'MissingParameter',
  'UnknownParameter',
  'InvalidParameterCombination',
]);

function lineOf(error: unknown): string {
  if (error instanceof CloudError) return BARE.has(error.code) ? error.message : `${error.message} (${error.code})`;
  if (error instanceof Interrupted) return error.message;
  return `${errorText(error)} (a fault of novactl itself; --verbose shows where)`;
}

/** The error as JSON on stderr for programs, or as a line for people. Answers the exit code. */
export function reportError(error: unknown, output: Output, options: { json: boolean; verbose: boolean }): ExitCode {
  if (error instanceof CloudError && error.code === 'DryRunOperation') output.message(error.message);
  else if (options.json) {
    const flat = error instanceof CloudError ? error.flatten() : { code: 'InternalError', message: errorText(error) };
    output.errorJson({ error: flat });
  } else output.error(lineOf(error));
  if (options.verbose && error instanceof Error && !(error instanceof Interrupted)) {
    const requestId = error instanceof CloudError ? error.details?.['requestId'] : undefined;
    if (typeof requestId === 'string') output.detail(`request ${requestId}`);
    if (exitOf(error) === 1) for (const line of (error.stack ?? '').split('\n').slice(1)) output.detail(line);
  }
  return exitOf(error);
}
