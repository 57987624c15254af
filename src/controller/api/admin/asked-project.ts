import type { IncomingMessage } from 'node:http';
import { CloudError } from '../../../base/errors.ts';
import { DIRECTORY_NAME_RULE, isDirectoryName } from '../../../domain/directory-names.ts';

/** The project that the request is to be done in, when it names one. */
export function askedProject({ headers }: Pick<IncomingMessage, 'headers'>): string | undefined {
  const given = headers['x-novactl-project'];
  if (given === undefined) return undefined;
  const name = Array.isArray(given) ? given.join(',') : given;
  if (isDirectoryName(name)) return name;
  throw new CloudError('InvalidParameterValue', `ProjectId: must be ${DIRECTORY_NAME_RULE}`, {
    details: { parameter: 'ProjectId' },
  });
}
