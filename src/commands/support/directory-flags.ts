import { Args, Flags } from '@oclif/core';
import { ROLES } from '../../views/access.ts';
import { CloudError } from '../../base/errors.ts';

export const userArg = {
  user: Args.string({ description: 'name of the user', required: true, ignoreStdin: true }),
};

export const projectArg = {
  project: Args.string({ description: 'name of the project', required: true, ignoreStdin: true }),
};

export const memberArgs = { ...projectArg, ...userArg };

export const roleArg = {
  role: Args.string({ description: `the role: ${ROLES.join(', ')}`, required: true, ignoreStdin: true }),
};

export const inProjectFlag = {
  project: Flags.string({ description: 'only in this project; default: in the whole cloud', helpValue: 'NAME' }),
};

type RoleName = (typeof ROLES)[number];

/** The word as a role. */
export function roleOf(word: string): RoleName {
  const role = ROLES.find((one) => one === word);
  if (role !== undefined) return role;
  throw new CloudError('InvalidParameterValue', `ROLE must be ${ROLES.join(', ')}, not "${word.slice(0, 80)}"`);
}

/** The error of a word that is missing where nobody can be asked for it. */
export function missing(name: string, description: string): CloudError {
  return new CloudError('MissingParameter', `missing ${name}: ${description}`);
}
