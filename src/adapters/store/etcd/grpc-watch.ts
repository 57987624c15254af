import { status, type ServiceError } from '@grpc/grpc-js';
import type { Clock } from '../../../base/clock.ts';
import { errorText } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { EtcdWatch, EtcdWatchListener } from './etcd-api.ts';
import { readWatch, writeWatch, type RawWatchAnswer } from './etcd-wire.ts';
import type { GrpcCalls } from './grpc-calls.ts';

/** A server that is there says at once that the watch is made; one that hangs says nothing. */
const CREATED_WITHIN_MS = 5_000;

/** One watch on one stream. That it can't be opened comes by `onEnd` too, in a later turn. After `close` the listener hears nothing. */
export function grpcWatch(
  request: EtcdWatch,
  listener: EtcdWatchListener,
  parts: { readonly calls: GrpcCalls; readonly clock: Clock; readonly logger: Logger },
): { close(): void } {
  const { calls, clock, logger } = parts;
  const { server, stream } = calls.stream('watch');
  let over = false;

  const finish = (failure?: Pick<ServiceError, 'code' | 'details'>, reason?: string): void => {
    if (over) return;
    over = true;
    patience.cancel();
    const problem = calls.ended(server, stream, failure);
    stream.cancel();
    listener.onEnd(reason ?? problem?.message ?? 'the server ended the watch');
  };
  const patience = clock.after(
    CREATED_WITHIN_MS,
    () => finish({ code: status.DEADLINE_EXCEEDED, details: `no watch within ${CREATED_WITHIN_MS} ms` }),
    { unref: true },
  );

  stream.on('data', (raw: RawWatchAnswer) => {
    if (over) return;
    patience.cancel();
    calls.answered();
    try {
      listener.onAnswer(readWatch(raw));
    } catch (error) {
      logger.error('etcd: an answer of the watch could not be taken', { problem: errorText(error) });
      finish(undefined, errorText(error));
      return;
    }
    if (raw.canceled) finish(undefined, raw.cancelReason === '' ? undefined : raw.cancelReason);
  });
  // An error comes even after a cancel of our own; nobody listening to it would end the process.
  stream.on('error', (error: ServiceError) => finish(error));
  stream.on('end', () => finish());
  stream.write(writeWatch(request));

  return {
    close: () => {
      if (over) return;
      over = true;
      patience.cancel();
      calls.ended(server, stream);
      stream.cancel();
    },
  };
}
