import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, findFrame, readFrame } from '../../../../src/adapters/store/frame.ts';

const txns = fc.array(fc.json({ maxDepth: 2 }), { maxLength: 5 });
const noise = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));

describe('journal frames', () => {
  it('give back what went in, and end where the next begins', () => {
    fc.assert(
      fc.property(txns, txns, fc.nat(), fc.nat(), (a, b, prev, at) => {
        const data = Buffer.concat([encodeFrame(a, prev, at), encodeFrame(b, prev + a.length, at)]);
        const first = readFrame(data, 0);
        const second = readFrame(data, first?.end ?? 0);
        expect(JSON.parse(first?.payload.toString() ?? '')).toEqual({
          prev,
          at,
          txns: a.map((text) => JSON.parse(text) as unknown),
        });
        expect(JSON.parse(second?.payload.toString() ?? '')).toMatchObject({
          txns: b.map((text) => JSON.parse(text) as unknown),
        });
        expect(second?.end).toBe(data.length);
        expect(readFrame(data, data.length)).toBeUndefined();
      }),
    );
  });

  it('one changed byte anywhere makes none of it', () => {
    const frame = encodeFrame(['{"rev":1,"ops":[]}'], 0, 1);
    fc.assert(
      fc.property(fc.nat({ max: frame.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, xor) => {
        const data = Buffer.from(frame);
        data[at] = (data[at] ?? 0) ^ xor;
        expect(readFrame(data, 0)).toBeUndefined();
      }),
    );
  });

  it('are found behind noise, and not in values that look like one', () => {
    fc.assert(
      fc.property(noise, txns, (before, texts) => {
        const frame = encodeFrame(texts, 7, 1);
        expect(findFrame(Buffer.concat([before, frame]), 0)).toBe(before.length);
        expect(findFrame(Buffer.concat([before, frame.subarray(0, frame.length - 1)]), 0)).toBeUndefined();
      }),
    );
    const inner = encodeFrame(['1'], 0, 0);
    const outer = encodeFrame([JSON.stringify(inner.toString('latin1'))], 0, 0);
    expect(findFrame(outer, 1)).toBeUndefined();
  });
});
