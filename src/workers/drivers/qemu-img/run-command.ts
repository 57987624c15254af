import { CloudError } from '../../../base/errors.ts';
import { humanBytes, MIB } from '../../../base/units.ts';
import type { ExecOptions, ExecResult, HostShell } from '../../../ports/host-shell.ts';
import { freeBytesArgv, parseFreeBytes } from './commands.ts';

/** Left free for disks that grow and for logs. */
export const RESERVE_BYTES = 256 * MIB;

export function commandError(shell: HostShell, argv: readonly string[], result: ExecResult): CloudError {
  const stderr = result.stderr.trim().slice(-2000);
  const details = { host: shell.name, argv: [...argv], exitCode: result.exitCode, stderr };
  const hint = result.exitCode === 127 ? ' (is it installed there? Debian: qemu-utils, coreutils, findutils)' : '';
  return new CloudError('HostError', `${argv[0] ?? ''} failed on ${shell.name}: ${stderr || result.exitCode}${hint}`, {
    details,
  });
}

/** Any exit code but 0 is 'HostError' with the command's own words. */
export async function runCommand(
  shell: HostShell,
  argv: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> {
  const result = await shell.exec(argv, options);
  if (result.exitCode !== 0) throw commandError(shell, argv, result);
  return result;
}

/** Exit code 0 or 1 as an answer; any other is an error. */
export async function asksCommand(shell: HostShell, argv: readonly string[]): Promise<boolean> {
  const result = await shell.exec(argv);
  if (result.exitCode > 1) throw commandError(shell, argv, result);
  return result.exitCode === 0;
}

/** undefined: the host did not say. */
export async function freeBytes(shell: HostShell, folder: string): Promise<number | undefined> {
  return parseFreeBytes((await runCommand(shell, freeBytesArgv(folder))).stdout);
}

/** CloudError 'InsufficientInstanceCapacity' when so much and the reserve do not fit. */
export async function requireSpace(
  shell: HostShell,
  folder: string,
  need: { readonly bytes: number; readonly what: string },
): Promise<void> {
  const free = await freeBytes(shell, folder);
  if (free === undefined || free >= need.bytes + RESERVE_BYTES) return;
  const sizes = `${humanBytes(need.bytes)} and ${humanBytes(RESERVE_BYTES)} in reserve`;
  throw new CloudError(
    'InsufficientInstanceCapacity',
    `${shell.name} has ${humanBytes(free)} free in ${folder}, and ${need.what} needs ${sizes}`,
  );
}
