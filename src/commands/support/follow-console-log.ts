import { CloudError } from '../../base/errors.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { Session } from './session.ts';
import { reopened } from './wait.ts';

export type LogEvent =
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly skipped: boolean }
  /** What was there at first has been told. */
  | { readonly kind: 'caught-up' };

export interface LogAsk {
  /** So many bytes before the end. */
  readonly tailBytes: number;
  readonly follow: boolean;
  readonly signal?: AbortSignal;
}

/** An instance's console log as a stream. When the connection breaks it goes on where it was. Ends when the instance is terminated. */
export async function* followConsoleLog(session: Session, instanceId: string, ask: LogAsk): AsyncGenerator<LogEvent> {
  const signal = ask.signal ?? session.io.signal;
  let cursor: string | undefined;
  let caughtUp = false;
  const open = async function* (): AsyncGenerator<OperationOutput<'WatchConsole'>> {
    const where = { InstanceId: instanceId, TailBytes: ask.tailBytes, Follow: ask.follow };
    yield* session.watch('WatchConsole', { ...where, ...(cursor === undefined ? {} : { Cursor: cursor }) }, signal);
    signal.throwIfAborted();
    // A cloud that is shut down ends its streams in good order; the log goes on all the same.
    if (ask.follow) throw new CloudError('Unavailable', 'the cloud ended the stream');
  };
  for await (const item of reopened(session, signal, open)) {
    if (item.kind === 'ended') throw new CloudError('Unreachable', item.reason);
    cursor = item.cursor;
    if (item.kind === 'output') {
      yield { kind: 'bytes', bytes: Buffer.from(item.output, 'base64'), skipped: item.skipped === true };
    } else if (!caughtUp) {
      caughtUp = true;
      yield { kind: 'caught-up' };
    }
  }
}
