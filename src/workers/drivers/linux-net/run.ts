import { CloudError } from '../../../base/errors.ts';
import type { ExecOptions, ExecResult, HostShell } from '../../../ports/host-shell.ts';

const WORDS_LIMIT = 2000;

/** A command's failure in its own words. */
export function commandError(shell: HostShell, argv: readonly string[], result: ExecResult): CloudError {
  const words = (result.stderr.trim() === '' ? result.stdout : result.stderr).trim().slice(0, WORDS_LIMIT);
  const command = argv.join(' ');
  const firstLine = words.split('\n')[0] ?? '';
  return new CloudError('HostError', `\`${command}\` failed on host ${shell.name}: ${firstLine}`, {
    details: { host: shell.name, command, exitCode: result.exitCode, stderr: words },
  });
}

/** Runs a command that has to succeed; its standard output. CloudError 'HostError' otherwise. */
export async function run(shell: HostShell, argv: readonly string[], options: ExecOptions = {}): Promise<string> {
  const result = await shell.exec(argv, options);
  if (result.exitCode !== 0) throw commandError(shell, argv, result);
  return result.stdout;
}

/** A text file of ours; undefined when absent. */
export async function readText(shell: HostShell, path: string): Promise<string | undefined> {
  try {
    return (await shell.readFile(path)).toString('utf8');
  } catch (error) {
    if (error instanceof CloudError && error.code === 'NotFound') return undefined;
    throw error;
  }
}

/** The JSON that a tool printed. CloudError 'HostError' when it is none: another version, or no such option. */
export function parseToolJson(text: string, command: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CloudError('HostError', `\`${command}\` did not answer with JSON: ${text.trim().slice(0, 200)}`, {
      cause: error,
    });
  }
}
