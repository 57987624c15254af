import { open } from 'node:fs/promises';
import { CloudError, errorText } from '../../base/errors.ts';

/** What the file systems say, and what to do then. */
const ADVICE: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file: put it there, or correct the key in the configuration',
  EACCES: 'the user that runs novactl may not read it',
  EISDIR: 'it is a folder, and a file is wanted',
};

/**
 * The bytes of a file that the configuration names under `key`, such as store.etcd.keyFile. A secret must not be readable by its group or by others.
 * Errors: InvalidParameterValue that names key and file, never what is in it.
 */
export async function readConfiguredFile(key: string, path: string, options: { secret: boolean }): Promise<Buffer> {
  const refuse = (problem: string, cause?: unknown): CloudError =>
    new CloudError('InvalidParameterValue', `${key}: ${path}: ${problem}`, { details: { key, path }, cause });
  let bytes: Buffer;
  let mode: number;
  try {
    // The mode is that of the file which is read, whatever the name leads to meanwhile.
    await using file = await open(path, 'r');
    mode = (await file.stat()).mode & 0o777;
    bytes = await file.readFile();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    throw refuse(ADVICE[code] ?? `can't be read: ${errorText(error)}`, error);
  }
  if (options.secret && (mode & 0o077) !== 0) {
    const octal = mode.toString(8).padStart(4, '0');
    throw refuse(`others may read this secret (mode ${octal}): chmod 600 ${path}`);
  }
  if (bytes.length === 0) throw refuse('the file is empty');
  return bytes;
}
