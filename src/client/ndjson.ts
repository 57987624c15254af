import { CloudError } from '../base/errors.ts';

/** Lines of newline-delimited JSON as values; blank lines (heartbeats) are left out. A line over the limit is 'RequestTooLarge'. */
export async function* ndjson(chunks: AsyncIterable<Buffer>, limitBytes: number): AsyncGenerator<unknown> {
  let held: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
      held.push(chunk.subarray(from, at));
      const line = Buffer.concat(held).toString('utf8').trim();
      held = [];
      size = 0;
      from = at + 1;
      if (line !== '') yield JSON.parse(line) as unknown;
    }
    held.push(chunk.subarray(from));
    size += chunk.length - from;
    if (size > limitBytes) throw new CloudError('RequestTooLarge', `a line of the stream is over ${limitBytes} bytes`);
  }
  const rest = Buffer.concat(held).toString('utf8').trim();
  if (rest !== '') throw new CloudError('Unavailable', 'the stream ended in the middle of a line');
}
