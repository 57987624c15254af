import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CONSOLE_BUFFER_BYTES, CONSOLE_END_REASONS } from '../../../src/messages/console.ts';
import { ConsoleFrameReader, encodeConsoleFrame, type ConsoleFrame } from '../../../src/messages/console-frames.ts';

const frame: fc.Arbitrary<ConsoleFrame> = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => ({ kind: 'data' as const, bytes: Buffer.from(bytes) })),
  fc.nat().map((byteCount) => ({ kind: 'skipped' as const, byteCount })),
  fc.record({
    kind: fc.constant('ended' as const),
    reason: fc.constantFrom(...CONSOLE_END_REASONS),
    message: fc.string(),
  }),
  fc.record({ kind: fc.constant('resize' as const), columns: fc.nat(), rows: fc.nat() }),
  fc.constantFrom({ kind: 'beat' as const }, { kind: 'close' as const }),
);

describe('frames of a console', () => {
  it('are read as they were written, however they are cut', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 20 }), fc.integer({ min: 1, max: 50 }), (frames, cut) => {
        const bytes = Buffer.concat(frames.map(encodeConsoleFrame));
        const reader = new ConsoleFrameReader();
        const got: ConsoleFrame[] = [];
        for (let at = 0; at < bytes.length; at += cut) got.push(...reader.push(bytes.subarray(at, at + cut)));
        expect(got).toEqual(frames);
      }),
    );
  });

  it('hold at most the size of the buffer; more data becomes several', () => {
    const bytes = Buffer.alloc(CONSOLE_BUFFER_BYTES * 2 + 1, 7);
    const got = new ConsoleFrameReader().push(encodeConsoleFrame({ kind: 'data', bytes }));
    expect(got.map((one) => (one.kind === 'data' ? one.bytes.length : -1))).toEqual([
      CONSOLE_BUFFER_BYTES,
      CONSOLE_BUFFER_BYTES,
      1,
    ]);
  });

  it.each([
    ['an unknown type', Buffer.from([9, 0, 0, 0, 0]), /type 9 is not known/],
    ['a frame that is too long', Buffer.from([0, 0, 2, 0, 0]), /131072 bytes; at most 65536/],
    ['an end that is no JSON', Buffer.from([2, 0, 0, 0, 1, 0x7b]), /can not be read/],
    ['a size that is no number', Buffer.concat([Buffer.from([3, 0, 0, 0, 2]), Buffer.from('{}')]), /whole numbers/],
  ])('refuses %s', (_what, bytes, message) => {
    expect(() => new ConsoleFrameReader().push(bytes)).toThrow(message);
  });
});
