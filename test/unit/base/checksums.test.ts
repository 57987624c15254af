import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checksumOf, combinedChecksum, runningChecksum, type ChecksumAlgorithm } from '../../../src/base/checksums.ts';

const CRCS = ['CRC32', 'CRC32C', 'CRC64NVME'] as const;
const hex = (base64: string): string => Buffer.from(base64, 'base64').toString('hex');

/** Bit by bit, as the definition says it. */
function slowCrc(bytes: Uint8Array, bits: bigint, polynomial: bigint): string {
  const ones = (1n << bits) - 1n;
  let crc = ones;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1n) === 1n ? (crc >> 1n) ^ polynomial : crc >> 1n;
  }
  return (crc ^ ones).toString(16).padStart(Number(bits) / 4, '0');
}

const SLOW = {
  CRC32: (bytes: Uint8Array) => slowCrc(bytes, 32n, 0xedb88320n),
  CRC32C: (bytes: Uint8Array) => slowCrc(bytes, 32n, 0x82f63b78n),
  CRC64NVME: (bytes: Uint8Array) => slowCrc(bytes, 64n, 0x9a6c9329ac4bc9b5n),
};

describe('checksums', () => {
  it.each<[ChecksumAlgorithm, string]>([
    ['CRC32', 'cbf43926'],
    ['CRC32C', 'e3069283'],
    ['CRC64NVME', 'ae8b14860a799888'],
    ['SHA1', 'f7c3bc1d808e04732adf679965ccc34ca7ae3441'],
    ['SHA256', '15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225'],
  ])('%s of the digits 1 to 9', (algorithm, expected) => {
    expect(hex(checksumOf(algorithm, Buffer.from('123456789')))).toBe(expected);
  });

  it('of nothing', () => {
    expect(CRCS.map((algorithm) => hex(checksumOf(algorithm)))).toEqual(['00000000', '00000000', '0000000000000000']);
    expect(combinedChecksum('CRC64NVME', [])).toBe('AAAAAAAAAAA=');
  });

  it('are those of the definition, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CRCS),
        fc.array(fc.uint8Array({ maxLength: 70 }), { maxLength: 6 }),
        (algorithm, chunks) => {
          const whole = Buffer.concat(chunks);
          const sum = runningChecksum(algorithm);
          for (const chunk of chunks) sum.update(chunk);
          expect(sum.digest().toString('hex')).toBe(SLOW[algorithm](whole));
          // A chunk may begin at any address.
          expect(hex(checksumOf(algorithm, whole.subarray(1)))).toBe(SLOW[algorithm](whole.subarray(1)));
        },
      ),
      { numRuns: 300 },
    );
  });

  it('of large chunks, with several at once, do not mix', () => {
    const data = Buffer.from(Uint8Array.from({ length: 3_000_001 }, (_, index) => (index * 31) & 0xff));
    const sums = CRCS.map((algorithm) => runningChecksum(algorithm));
    for (let at = 0; at < data.length; at += 700_001)
      for (const sum of sums) sum.update(data.subarray(at, at + 700_001));
    expect(sums[0]?.digest().readUInt32BE()).toBe(crc32(data));
    for (const [index, algorithm] of CRCS.entries()) {
      if (index > 0) expect(sums[index]?.digest().toString('base64')).toBe(checksumOf(algorithm, data));
    }
    expect(hex(checksumOf('CRC32C', data))).toBe(
      hex(
        combinedChecksum('CRC32C', [
          { value: checksumOf('CRC32C', data.subarray(0, 1000)), sizeBytes: 1000 },
          { value: checksumOf('CRC32C', data.subarray(1000)), sizeBytes: data.length - 1000 },
        ]),
      ),
    );
  });

  it('of pieces put together are those of the whole', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CRCS),
        fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 8 }),
        (algorithm, chunks) => {
          const pieces = chunks.map((chunk) => ({ value: checksumOf(algorithm, chunk), sizeBytes: chunk.length }));
          expect(combinedChecksum(algorithm, pieces)).toBe(checksumOf(algorithm, Buffer.concat(chunks)));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('of pieces longer than 4 GiB too: so many zeros, doubled again and again', () => {
    for (const algorithm of CRCS) {
      let [value, sizeBytes] = [checksumOf(algorithm, Buffer.alloc(2 ** 20)), 2 ** 20];
      while (sizeBytes < 2 ** 36) {
        value = combinedChecksum(algorithm, [
          { value, sizeBytes },
          { value, sizeBytes },
        ]);
        sizeBytes *= 2;
      }
      const half = checksumOf(algorithm, Buffer.alloc(2 ** 19));
      const cut = combinedChecksum(algorithm, [
        { value: half, sizeBytes: 2 ** 19 },
        { value, sizeBytes: 2 ** 36 },
      ]);
      const other = combinedChecksum(algorithm, [
        { value, sizeBytes: 2 ** 36 },
        { value: half, sizeBytes: 2 ** 19 },
      ]);
      // Both are of 2^36 + 2^19 zeros.
      expect(cut).toBe(other);
    }
  });
});
