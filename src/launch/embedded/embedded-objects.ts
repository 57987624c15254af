import { CloudError } from '../../base/errors.ts';
import type { S3Exchange, S3Reply } from '../../client/cloud-client.ts';
import type { ControllerContext } from '../../controller/controller-context.ts';
import type { Principal } from '../../controller/operations/handler.ts';
import { inProcessS3 } from '../in-process-s3.ts';
import { ObjectsHere } from '../objects-here.ts';
import { hasEndpoint } from '../open-endpoint.ts';
import { createS3Door } from '../s3.ts';
import type { EmbeddedParts } from './embedded-parts.ts';
import { DAEMON_CAME } from './state-holder.ts';

/** The objects for one command: opened with its first request, and let go when it ends. */
export function embeddedObjects(parts: EmbeddedParts): ObjectsHere {
  const { config, clock, random, logger, command, user, signal, timeoutMs } = parts;
  return new ObjectsHere({
    ...{ config, clock, random, logger },
    holder: { command, user, kind: 'command' },
    patience: {
      ...{ clock, signal, timeoutMs },
      worth: (holder) => !parts.noWaitLock && holder?.kind !== 'daemon',
      onWait: (holder) => parts.say(`waiting for ${holder}`),
      meanwhile: async () => {
        if (!(await parts.daemonAnswers())) return;
        throw new CloudError('Unavailable', 'a daemon has taken over', { details: DAEMON_CAME });
      },
    },
  });
}

/** One request. What of the body was read can't be read again, so the objects are opened before. */
export async function embeddedS3(
  objects: ObjectsHere,
  { context, principal }: { readonly context: ControllerContext; readonly principal: Principal },
  { parts, request }: { readonly parts: EmbeddedParts; readonly request: S3Exchange },
): Promise<S3Reply> {
  request.signal?.throwIfAborted();
  const { config, clock, random, logger } = parts;
  const here = hasEndpoint(config) ? undefined : objects;
  await here?.store();
  return inProcessS3(createS3Door({ context, objects: here }, { config, clock, random, logger }), principal, request);
}
