import { CloudError, errnoOf, errorText } from '../../base/errors.ts';
import { printable } from './printable.ts';

const SHOWN_CHARACTERS = 200;

/** What the system says of a file, in words. */
const PROBLEMS: Readonly<Record<string, string>> = {
  EACCES: 'may not be opened by this user',
  EISDIR: 'is a folder',
  ENAMETOOLONG: 'is too long a name for a file; say another one',
  ENOENT: 'is not there',
  ENOSPC: 'can not be written: no space is left there',
  ENOTDIR: 'is not there: something in front of it is no folder',
  EDQUOT: 'can not be written: the quota of this user is used up',
  EROFS: 'can not be written: the file system is read-only',
};

/** Another file would fare no better. */
const FULL = ['ENOSPC', 'EDQUOT'];

/** Why nothing comes of the file that FILE says; never with a path that nobody has said. */
export function fileProblem(path: string, error: unknown): CloudError {
  const errno = errnoOf(error) ?? '';
  const said = PROBLEMS[errno];
  const text = said === undefined ? errorText(error) : `${printable(path, SHOWN_CHARACTERS)} ${said}`;
  return new CloudError(FULL.includes(errno) ? 'Unavailable' : 'InvalidParameterValue', `FILE: ${text}`, {
    cause: error,
  });
}
