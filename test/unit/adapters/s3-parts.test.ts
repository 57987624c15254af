import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partsOf } from '../../../src/adapters/blobs/s3-body.ts';
import { partBytesOf } from '../../../src/adapters/blobs/s3-upload.ts';

const MIB = 1024 * 1024;

describe('the parts of an upload', () => {
  it('are what came, all of one size but the last, which alone says so', async () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(chunks, fc.integer({ min: 1, max: 17 }), async (sent, partBytes) => {
        let counted = 0;
        const parts: { bytes: Buffer; isLast: boolean }[] = [];
        const body = Readable.from(sent.map((chunk) => Buffer.from(chunk)));
        for await (const part of partsOf(body, partBytes, ({ length }) => (counted += length))) parts.push(part);
        const whole = Buffer.concat(sent);
        expect(Buffer.concat(parts.map(({ bytes }) => bytes)).equals(whole)).toBe(true);
        expect(counted).toBe(whole.length);
        expect(parts.map(({ isLast }) => isLast)).toEqual(parts.map((_, at) => at === parts.length - 1));
        expect(parts.length).toBe(Math.max(1, Math.ceil(whole.length / partBytes)));
        for (const { bytes } of parts.slice(0, -1)) expect(bytes.length).toBe(partBytes);
      }),
    );
  });

  it('are never more than S3 takes, whatever the size', () => {
    expect(partBytesOf(undefined)).toBe(8 * MIB);
    for (const maxBytes of [0, 5 * MIB, 80_000 * MIB, 5_000_000 * MIB]) {
      expect(Math.ceil(maxBytes / partBytesOf(maxBytes))).toBeLessThanOrEqual(10_000);
      expect(partBytesOf(maxBytes) % MIB).toBe(0);
    }
  });
});
