import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { combineCrc, RunningCrc, type CrcAlgorithm } from './crc.ts';

/** What S3's clients may ask for beside MD5. The values are big-endian bytes, in base64 on the wire. */
export type ChecksumAlgorithm = CrcAlgorithm | 'SHA1' | 'SHA256';

/** A checksum of bytes that come one after the other. */
export interface RunningChecksum {
  update(chunk: Uint8Array): void;
  /** Big-endian. Once, at the end. */
  digest(): Buffer;
}

/** Node's own is the fastest there is. */
function runningCrc32(): RunningChecksum {
  let crc = 0;
  return {
    update: (chunk) => {
      crc = crc32(chunk, crc);
    },
    digest: () => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(crc);
      return bytes;
    },
  };
}

function runningHash(algorithm: string): RunningChecksum {
  const hash = createHash(algorithm);
  return { update: (chunk) => void hash.update(chunk), digest: () => hash.digest() };
}

const MAKERS: Readonly<Record<ChecksumAlgorithm, () => RunningChecksum>> = {
  CRC32: runningCrc32,
  CRC32C: () => new RunningCrc('CRC32C'),
  CRC64NVME: () => new RunningCrc('CRC64NVME'),
  SHA1: () => runningHash('sha1'),
  SHA256: () => runningHash('sha256'),
};

/** A new one over no bytes yet. */
export function runningChecksum(algorithm: ChecksumAlgorithm): RunningChecksum {
  return MAKERS[algorithm]();
}

/** Of bytes that are all there: base64. */
export function checksumOf(algorithm: ChecksumAlgorithm, ...chunks: readonly Uint8Array[]): string {
  const sum = runningChecksum(algorithm);
  for (const chunk of chunks) sum.update(chunk);
  return sum.digest().toString('base64');
}

/** The CRC of pieces put one behind the other, from the CRC (base64) and length of each: no byte is read again. */
export function combinedChecksum(
  algorithm: CrcAlgorithm,
  pieces: readonly { readonly value: string; readonly sizeBytes: number }[],
): string {
  const width = algorithm === 'CRC64NVME' ? 8 : 4;
  const number = (value: string): bigint => BigInt(`0x0${Buffer.from(value, 'base64').toString('hex')}`);
  let whole = 0n;
  for (const piece of pieces) whole = combineCrc(algorithm, whole, number(piece.value), piece.sizeBytes);
  return Buffer.from(whole.toString(16).padStart(width * 2, '0'), 'hex').toString('base64');
}
