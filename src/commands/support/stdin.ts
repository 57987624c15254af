import { addAbortSignal, type Readable } from 'node:stream';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Io } from './io.ts';

/**
 * What comes on stdin. An interrupt ends the wait for more: whoever writes there may say nothing for long. 'Unavailable' when it breaks off; the end of a pipe
 * whose writer died is an end like any other.
 */
export async function* stdinPieces({ stdin, signal }: Pick<Io, 'stdin' | 'signal'>): AsyncGenerator<Buffer | string> {
  try {
    yield* addAbortSignal(signal, stdin as Readable) as AsyncIterable<Buffer | string>;
  } catch (error) {
    signal.throwIfAborted();
    throw new CloudError('Unavailable', `stdin can't be read any more: ${errorText(error)}`, { cause: error });
  }
}
