import { CloudError, isCode } from '../../base/errors.ts';
import { toJson } from '../../base/json.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS } from '../../domain/keys.ts';
import type { AssignRecord } from '../../domain/records.ts';
import { ConsoleLogPart, TOPIC } from '../../messages/worker.ts';
import type { ReadContext, StreamHandler } from './handler.ts';
import { instanceOf } from './instance-lookup.ts';

const PART_BYTES = 512 * 1024;
/** How long the worker holds the question; what the guest prints is answered when it is seen. */
const WAIT_MS = 5000;
const TIMEOUT_MS = 25_000;
const AGAIN_MS = 500;
/** A worker that is silent for longer ends the stream with an error; the reader goes on from its cursor. */
const PATIENCE_MS = 60_000;

/** The log is a file on the instance's host; its worker looks at it while somebody reads here. */
export const watchConsole: StreamHandler<'WatchConsole'> = async function* (context, input, signal) {
  instanceRecord(context, input.InstanceId);
  let cursor = input.Cursor;
  let caughtUp = false;
  while (!signal.aborted) {
    const part = await ask(context, input, { cursor, waitMs: caughtUp && input.Follow ? WAIT_MS : 0 }, signal);
    if (part === 'terminated') {
      yield { kind: 'ended', reason: `${input.InstanceId} is terminated; its log went with it` };
      return;
    }
    if (part === undefined) return;
    cursor = part.cursor;
    if (part.data !== '') {
      yield { kind: 'output', output: part.data, cursor, ...(part.skipped ? { skipped: true } : {}) };
    }
    if (part.more || caughtUp) continue;
    caughtUp = true;
    yield { kind: 'caught-up', cursor };
    if (!input.Follow) return;
  }
};

function instanceRecord({ cloud, principal }: ReadContext, id: string): InstanceRecord {
  return instanceOf((key) => cloud.store.get<InstanceRecord>(key)?.value, principal, id);
}

/** The log's worker; undefined when the instance, and its log with it, is gone. */
function workerFor(context: ReadContext, id: string): { hostId: string; workerId: string } | undefined {
  const { store } = context.cloud;
  const known = store.get<InstanceRecord>(KEYS.instance(id))?.value;
  if (known === undefined || known.state === 'terminated') return undefined;
  const { hostId } = instanceRecord(context, id);
  const assign = store.get<AssignRecord>(KEYS.assign('compute', hostId))?.value;
  if (assign === undefined) throw new CloudError('Unavailable', `no worker serves the host of ${id}`);
  return { hostId, workerId: assign.workerId };
}

async function ask(
  context: ReadContext,
  input: { InstanceId: string; TailBytes: number },
  where: { cursor: string | undefined; waitMs: number },
  signal: AbortSignal,
): Promise<ConsoleLogPart | 'terminated' | undefined> {
  const { bus, clock } = context.cloud;
  const { cursor, waitMs } = where;
  const sinceMs = clock.monotonicMs();
  const mayAskAgain = (error: unknown): boolean =>
    // The first question is answered at once, by the error too.
    waitMs > 0 && isCode(error, 'Timeout', 'Unavailable') && clock.monotonicMs() - sinceMs <= PATIENCE_MS;
  while (!signal.aborted) {
    const at = workerFor(context, input.InstanceId);
    if (at === undefined) return 'terminated';
    const body = {
      ...{ v: 1, hostId: at.hostId, instanceId: input.InstanceId },
      ...{ tailBytes: input.TailBytes, maxBytes: PART_BYTES, waitMs },
      ...(cursor === undefined ? {} : { cursor }),
    };
    try {
      const answer = bus.call(TOPIC.worker(at.workerId), 'console-follow', toJson(body), { timeoutMs: TIMEOUT_MS });
      const part = await orAborted(answer, signal);
      return signal.aborted ? undefined : ConsoleLogPart.parse(part);
    } catch (error) {
      if (!mayAskAgain(error)) throw error;
      await clock.sleep(AGAIN_MS, signal).catch(() => undefined);
    }
  }
  return undefined;
}

/** What the work answers, or undefined as soon as nobody reads any more. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    signal.addEventListener('abort', stop, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
    if (signal.aborted) stop();
  });
}
