import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { runningChecksum } from '../../../base/checksums.ts';
import { CloudError } from '../../../base/errors.ts';
import type { BodyDigests } from '../../../client/s3/s3-client.ts';
import { fileProblem } from '../file-problem.ts';

const CHUNK_BYTES = 256 * 1024;

/** Some bytes of a file, one behind the other. */
export interface FileRange {
  readonly path: string;
  readonly startBytes: number;
  readonly sizeBytes: number;
}

async function* chunksOf({ path, startBytes, sizeBytes }: FileRange): AsyncGenerator<Buffer> {
  if (sizeBytes === 0) return;
  const end = startBytes + sizeBytes - 1;
  let readBytes = 0;
  const stream = createReadStream(path, { start: startBytes, end, highWaterMark: CHUNK_BYTES });
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      readBytes += chunk.length;
      yield chunk;
    }
  } catch (error) {
    throw fileProblem(path, error);
  }
  if (readBytes < sizeBytes) throw new CloudError('Conflict', `${path} became shorter while it was read`);
}

/** The bytes to send, told as they go. */
export function rangeStream(range: FileRange, onBytes: (bytes: number) => void): Readable {
  const told = async function* (): AsyncGenerator<Buffer> {
    for await (const chunk of chunksOf(range)) {
      onBytes(chunk.length);
      yield chunk;
    }
  };
  return Readable.from(told(), { objectMode: false, highWaterMark: CHUNK_BYTES });
}

/** What these bytes are, in one reading: constant memory, whatever their number. */
export async function digestRange(range: FileRange): Promise<BodyDigests> {
  const md5 = createHash('md5');
  const crc = runningChecksum('CRC32');
  for await (const chunk of chunksOf(range)) {
    md5.update(chunk);
    crc.update(chunk);
  }
  return { sizeBytes: range.sizeBytes, md5: md5.digest('hex'), crc32: crc.digest().toString('base64') };
}

export function digestBytes(bytes: Uint8Array): BodyDigests {
  const crc = runningChecksum('CRC32');
  crc.update(bytes);
  const md5 = createHash('md5').update(bytes).digest('hex');
  return { sizeBytes: bytes.length, md5, crc32: crc.digest().toString('base64') };
}
