import { Readable } from 'node:stream';
import { asCloudError, CloudError } from '../../../../base/errors.ts';
import { passesRule } from '../../../../domain/access-rules.ts';
import type { ObjectKeeper } from '../../../objects/object-keeper.ts';
import type { S3Action, S3Answer, S3Call } from '../s3-action.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

/** Whoever looks after the whole cloud, and nobody else: all projects' objects are named. */
function keeperFor({ caller, keeper }: S3Call): ObjectKeeper {
  const isAllowed =
    caller.kind === 'key' && (caller.mayAll === true || passesRule('cloudadmin', caller.principal.roles));
  if (!isAllowed) throw new CloudError('AccessDenied', 'to look after the object store is for cloudadmin');
  if (keeper === undefined) throw new CloudError('NotImplemented', 'nobody looks after the objects here');
  return keeper;
}

async function overview(call: S3Call): Promise<S3Answer> {
  return { status: 200, headers: JSON_TYPE, body: JSON.stringify(await keeperFor(call).overview()) };
}

async function collect(call: S3Call): Promise<S3Answer> {
  return { status: 200, headers: JSON_TYPE, body: JSON.stringify(await keeperFor(call).collect()) };
}

/** One JSON document a line: `{"doneBytes", "totalBytes"}` now and then, at last `{"result"}` or `{"error"}`. It stops when nobody reads any more. */
async function scrub(call: S3Call): Promise<S3Answer> {
  const keeper = keeperFor(call);
  // Before the head of the answer is out, so that it is an ordinary refusal.
  keeper.refuseIfScrubbing();
  const stop = new AbortController();
  const body = new Readable({
    read: () => undefined,
    destroy(error, done) {
      stop.abort();
      done(error);
    },
  });
  const line = (value: object): void => void (body.destroyed || body.push(`${JSON.stringify(value)}\n`));
  const running = keeper.scrub({ signal: stop.signal, onProgress: line });
  running
    .then(
      (result) => line({ result }),
      (error: unknown) => line({ error: asCloudError(error).flatten() }),
    )
    .finally(() => void (body.destroyed || body.push(null)))
    .catch(() => undefined);
  return { status: 200, headers: { 'content-type': 'application/x-ndjson' }, body };
}

/** Of this cloud alone: the object store as a whole. */
export const KEEPING_ACTIONS: readonly S3Action[] = [
  { name: 'ShowObjectStore', level: 'service', method: 'GET', query: 'x-novactl-keeping', perform: overview },
  { name: 'CollectObjects', level: 'service', method: 'POST', query: 'x-novactl-collect', perform: collect },
  { name: 'ScrubObjects', level: 'service', method: 'POST', query: 'x-novactl-scrub', perform: scrub },
];
