import { CloudError, isCode } from '../../base/errors.ts';
import { humanDuration } from '../../base/units.ts';
import type { OperationOutput } from '../../messages/operations/index.ts';
import type { InstanceView } from '../../views/instances.ts';
import { stepLine } from '../../views/operations.ts';
import { progressText } from '../../views/progress.ts';
import { deadline } from './deadline.ts';
import type { Session } from './session.ts';

type State = InstanceView['state'];

/** Pause before a stream that broke is opened again: the daemon may be starting anew. */
const REOPEN_MS = 1000;

/** Runs `open` again when the cloud is away for a moment, until the signal. The first failure to connect is final. */
export async function* reopened<T>(
  session: Session,
  signal: AbortSignal,
  open: () => AsyncIterable<T>,
): AsyncGenerator<T> {
  for (let connected = false; ;) {
    try {
      for await (const item of open()) {
        connected = true;
        yield item;
      }
      return;
    } catch (error) {
      if (!connected || !isCode(error, 'Unavailable')) throw error;
      session.output.detail('the connection broke, trying again');
      await session.io.clock.sleep(REOPEN_MS, signal);
    }
  }
}

/**
 * Follows instances until each is in one of the states; says each change. CloudError 'Unreachable' as soon as one can't get there,
 * 'Timeout' after timeoutMs.
 */
export async function waitForInstances(
  session: Session,
  ids: readonly string[],
  states: readonly State[],
  timeoutMs: number,
): Promise<readonly InstanceView[]> {
  const { output, io } = session;
  const what = `for ${ids.length === 1 ? (ids[0] ?? '') : `${ids.length} instances`} to be ${states.join(' or ')}`;
  const end = deadline(io, timeoutMs, what);
  const startMs = io.clock.monotonicMs();
  const last = new Map<string, string>();
  const input = { InstanceIds: [...ids], Until: [...states] };
  try {
    const items = reopened(session, end.signal, () => session.watch('WatchInstances', input, end.signal));
    for await (const item of items) {
      if (item.kind === 'done') return item.instances;
      if (item.kind === 'unreachable') {
        throw new CloudError(
          'Unreachable',
          `${item.instanceId} can't be ${states.join(' or ')} any more: ${item.reason}`,
          {
            details: { instanceId: item.instanceId },
          },
        );
      }
      const [id, state] =
        item.kind === 'gone' ? [item.instanceId, 'gone'] : [item.instance.instanceId, item.instance.state];
      if (last.get(id) !== state)
        output.message(`${id} is ${state} (${humanDuration(io.clock.monotonicMs() - startMs)})`);
      last.set(id, state);
    }
    throw new CloudError('Unavailable', `the cloud ended the wait ${what} without an answer; wait again`);
  } finally {
    end.clear();
  }
}

type OperationView = OperationOutput<'WatchOperation'>['operation'];

/** Follows an operation to its end, saying each new step. The operation's own error is for the caller to judge. */
export async function followOperation(
  session: Session,
  operationId: string,
  timeoutMs?: number,
  say: (text: string) => void = (text) => session.output.message(text),
): Promise<OperationView> {
  const { io } = session;
  const end = timeoutMs === undefined ? undefined : deadline(io, timeoutMs, `for ${operationId} to end`);
  const signal = end?.signal ?? io.signal;
  const input = { OperationId: operationId };
  let told = 0;
  try {
    for await (const { operation } of reopened(session, signal, () => session.watch('WatchOperation', input, signal))) {
      for (const { progress: _now, ...step } of operation.steps.slice(told)) say(stepLine(step, operation.startedAtMs));
      told = operation.steps.length;
      showProgress(session, operation);
      if (operation.status !== 'running') return operation;
    }
    throw new CloudError('Unavailable', `the cloud ended the answer before ${operationId} ended; follow it again`);
  } finally {
    session.output.progress('');
    end?.clear();
  }
}

/** Of the step that is under way, where it is known how far it is. */
function showProgress(session: Session, { steps }: OperationView): void {
  const { io, output } = session;
  const { step: label = '', atMs = 0, progress } = steps.at(-1) ?? {};
  if (progress === undefined) return output.progress('');
  const { doneBytes: sentBytes, totalBytes: sizeBytes } = progress;
  const tookMs = Math.max(0, session.nowMs() - atMs);
  output.progress(progressText({ label, sentBytes, sizeBytes, tookMs, width: io.stderr.columns ?? 80 }));
}

/** The error that an operation ended with, if it failed. */
export function operationError(operation: OperationView): CloudError | undefined {
  if (operation.status !== 'failed') return undefined;
  const { code = 'InternalError', message = 'it failed without saying why' } = operation.error ?? {};
  const flat = CloudError.unflatten({
    code: code as CloudError['code'],
    message: `${operation.operationId} failed: ${message}`,
  });
  return new CloudError(flat.code, flat.message, { details: { operationId: operation.operationId } });
}
