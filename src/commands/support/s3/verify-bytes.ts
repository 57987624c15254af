import { createHash, type Hash } from 'node:crypto';
import { runningChecksum } from '../../../base/checksums.ts';
import type { ObjectHead } from '../../../messages/object-head.ts';

const ALGORITHMS = ['CRC32', 'CRC32C', 'CRC64NVME', 'SHA1', 'SHA256'] as const;

/** Sees all bytes of an object in their order, and says at the end whether they are its. */
export interface BytesCheck {
  /** What they are compared by, for people. */
  readonly by: string;
  update(chunk: Uint8Array): void;
  /** Once. */
  holds(): boolean;
}

/** By the checksum of the whole. */
function byChecksum(algorithm: (typeof ALGORITHMS)[number], value: string): BytesCheck {
  const sum = runningChecksum(algorithm);
  return {
    by: algorithm,
    update: (chunk) => sum.update(chunk),
    holds: () => sum.digest().toString('base64') === value,
  };
}

function byMd5(etag: string): BytesCheck {
  const md5 = createHash('md5');
  return { by: 'MD5', update: (chunk) => void md5.update(chunk), holds: () => md5.digest('hex') === etag };
}

/** The ETag of an object in parts is the MD5 of their MD5s: all but the last have the size of the first, or it does not hold. */
function byParts(etag: string, partBytes: number): BytesCheck {
  const whole = createHash('md5');
  let part: Hash = createHash('md5');
  let inPart = 0;
  let parts = 0;
  const endPart = (): void => {
    whole.update(part.digest());
    parts += 1;
    [part, inPart] = [createHash('md5'), 0];
  };
  return {
    by: 'MD5 of the parts',
    update(chunk) {
      for (let at = 0; at < chunk.length;) {
        const piece = chunk.subarray(at, at + partBytes - inPart);
        part.update(piece);
        at += piece.length;
        inPart += piece.length;
        if (inPart === partBytes) endPart();
      }
    },
    holds() {
      if (inPart > 0) endPart();
      return `${whole.digest('hex')}-${parts}` === etag;
    },
  };
}

/** How an object's bytes can be told to be right; undefined: not at all. `firstPartBytes` is asked only where it is needed. */
export async function bytesCheck(
  { checksum, etag, sizeBytes }: ObjectHead,
  firstPartBytes: () => Promise<number>,
): Promise<BytesCheck | undefined> {
  const algorithm = ALGORITHMS.find((name) => name === checksum?.algorithm);
  if (algorithm !== undefined && checksum !== undefined) return byChecksum(algorithm, checksum.value);
  if (/^[0-9a-f]{32}$/.test(etag)) return byMd5(etag);
  const count = Number(/^[0-9a-f]{32}-(\d{1,5})$/.exec(etag)?.[1] ?? 0);
  const partBytes = count === 0 ? 0 : await firstPartBytes();
  // Parts of different sizes: where they begin nobody says.
  if (partBytes <= 0 || Math.ceil(sizeBytes / partBytes) !== count) return undefined;
  return byParts(etag, partBytes);
}
