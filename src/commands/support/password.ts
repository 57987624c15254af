import { Flags } from '@oclif/core';
import { CloudError } from '../../base/errors.ts';
import type { Dialogue } from './dialogue.ts';
import type { Io } from './io.ts';
import { readInput } from './user-data.ts';

/** A password is never a word of the command line, which others can see. */
export const passwordFlags = {
  password: Flags.boolean({ description: 'ask for a password at the terminal', exclusive: ['password-file'] }),
  'password-file': Flags.string({
    description: 'file whose first line is the password, - for stdin',
    helpValue: 'FILE',
  }),
};

interface PasswordFlags {
  readonly password?: boolean;
  readonly 'password-file'?: string | undefined;
}

/** Undefined: none is wanted. */
export async function givenPassword(io: Io, flags: PasswordFlags): Promise<string | undefined> {
  const path = flags['password-file'];
  if (path !== undefined) {
    const [line = ''] = (await readInput(io, '--password-file', path)).toString('utf8').split(/\r?\n/);
    if (line === '')
      throw new CloudError('InvalidParameterValue', `--password-file: the first line of ${path} is empty`);
    return line;
  }
  if (flags.password !== true) return undefined;
  if (!io.interactive) {
    throw new CloudError('MissingParameter', '--password asks at a terminal, and there is none; give --password-file');
  }
  const { dialogue } = await import('./dialogue.ts');
  const password = await dialogue(io, newPassword);
  if (password === '') throw new CloudError('MissingParameter', 'no password was typed, nothing was done');
  return password;
}

/** Typed twice, until it is the same twice. Empty: none. */
export async function newPassword(talk: Dialogue): Promise<string> {
  for (;;) {
    const first = await talk.askSecret('password (empty: none): ');
    if (first === '') return '';
    if ((await talk.askSecret('the same again: ')) === first) return first;
    await talk.ask('these were not the same; press Enter to try again ');
  }
}
