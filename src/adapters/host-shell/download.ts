import { Readable } from 'node:stream';
import { SHELL_LIMITS } from '../../ports/host-shell.ts';

/** Read at a time: few enough round trips to fill a fast line, and what one answer may hold. */
const PART_BYTES = SHELL_LIMITS.outputBytes;

/**
 * A file of any size as a stream, read part by part with the next part under way: two parts are in memory, whatever the size. A part is one
 * bounded read with its own deadline, so a host that hangs in the middle is an error of the stream. It ends where the file ended when that was read.
 */
export function downloadInParts(read: (fromByte: number, maxBytes: number) => Promise<Buffer>): Readable {
  return Readable.from(parts(read), { objectMode: false, highWaterMark: 1 });
}

async function* parts(read: (fromByte: number, maxBytes: number) => Promise<Buffer>): AsyncGenerator<Buffer> {
  let at = 0;
  for (let next = read(at, PART_BYTES); ;) {
    const part = await next;
    if (part.length < PART_BYTES) {
      if (part.length > 0) yield part;
      return;
    }
    at += part.length;
    next = read(at, PART_BYTES);
    // It is looked at in the next round; until then its failure is nobody's.
    next.catch(() => undefined);
    yield part;
  }
}
