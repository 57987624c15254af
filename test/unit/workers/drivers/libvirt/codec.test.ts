import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCode } from '../../../../../src/base/errors.ts';
import {
  array,
  charArray,
  hyper,
  int,
  optional,
  string,
  struct,
  text,
  typedParam,
  uhyper,
  uint,
  uuid,
  type Codec,
  type TypedParam,
} from '../../../../../src/workers/drivers/libvirt/codec.ts';
import { PROCEDURES } from '../../../../../src/workers/drivers/libvirt/procedures.ts';
import { XdrReader, XdrWriter } from '../../../../../src/workers/drivers/libvirt/xdr.ts';

function encoded<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new XdrWriter();
  codec.write(writer, value);
  return writer.bytes();
}

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const words = fc.string({ unit: 'grapheme', maxLength: 20 });
const field = fc.string({ maxLength: 79 });
const param: fc.Arbitrary<TypedParam> = fc.oneof(
  fc.record({ field, type: fc.constant('int' as const), value: fc.integer() }),
  fc.record({ field, type: fc.constant('uint' as const), value: fc.nat(0xffffffff) }),
  fc.record({ field, type: fc.constant('llong' as const), value: int64 }),
  fc.record({ field, type: fc.constant('ullong' as const), value: uint64 }),
  fc.record({ field, type: fc.constant('double' as const), value: fc.double({ noNaN: true }) }),
  fc.record({ field, type: fc.constant('boolean' as const), value: fc.boolean() }),
  fc.record({ field, type: fc.constant('string' as const), value: words }),
);

const everything = struct({
  a: int,
  b: uint,
  c: hyper,
  d: uhyper,
  e: text,
  f: optional(text),
  g: uuid,
  h: array(typedParam, 10),
  i: charArray(32),
});
const anything = fc.record({
  a: fc.integer(),
  b: fc.nat(0xffffffff),
  c: int64,
  d: uint64,
  e: words,
  f: fc.option(words, { nil: undefined }),
  g: fc.uuid(),
  h: fc.array(param, { maxLength: 10 }),
  i: fc.string({ unit: fc.constantFrom(...'abcXYZ019 -()'), maxLength: 32 }),
});

describe('XDR codecs', () => {
  it('read back what they wrote, in whole words, with nothing left', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const bytes = encoded(everything, value);
        expect(bytes.length % 4).toBe(0);
        const reader = new XdrReader(bytes);
        expect(everything.read(reader)).toEqual(value);
        expect(reader.remaining).toBe(0);
      }),
    );
  });

  it('refuse every truncation with a HypervisorError', () => {
    fc.assert(
      fc.property(anything, fc.double({ min: 0, max: 0.999, noNaN: true }), (value, part) => {
        const bytes = encoded(everything, value);
        const cut = bytes.subarray(0, Math.floor(bytes.length * part));
        expect(
          isCode(
            thrownBy(() => everything.read(new XdrReader(cut))),
            'HypervisorError',
          ),
        ).toBe(true);
      }),
    );
  });

  it('answer random bytes with a value or a HypervisorError, whatever the procedure', () => {
    const results = Object.values(PROCEDURES).map((procedure) => procedure.result as Codec<unknown>);
    fc.assert(
      fc.property(fc.constantFrom(...results), fc.uint8Array({ maxLength: 300 }), (codec, bytes) => {
        const error = thrownBy(() => codec.read(new XdrReader(Buffer.from(bytes))));
        expect(error === undefined || isCode(error, 'HypervisorError')).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('lay values out as RFC 4506 says', () => {
    expect(encoded(text, 'abcde').toString('hex')).toBe('000000056162636465000000');
    expect(encoded(int, -2).toString('hex')).toBe('fffffffe');
    expect(encoded(uhyper, 9_000_000n).toString('hex')).toBe('0000000000895440');
    expect(encoded(optional(int), undefined).toString('hex')).toBe('00000000');
    expect(encoded(optional(int), 7).toString('hex')).toBe('0000000100000007');
  });

  it('take one word a character in a char array, and end it at the first NUL', () => {
    const bytes = encoded(charArray(32), 'x86_64');
    expect(bytes.length).toBe(128);
    expect(charArray(32).read(new XdrReader(bytes))).toBe('x86_64');
  });

  it.each([
    ['a string over its limit', () => encoded(string(3), 'four')],
    ['an array over its limit', () => encoded(array(int, 1), [1, 2])],
    ['an int of 33 bits', () => encoded(int, 2 ** 31)],
    ['a negative uint', () => encoded(uint, -1)],
    ['a uint64 of 65 bits', () => encoded(uhyper, 2n ** 64n)],
    ['a malformed uuid', () => encoded(uuid, 'zz')],
  ])('refuse to send %s', (_what, send) => {
    expect(isCode(thrownBy(send), 'InvalidParameterValue')).toBe(true);
  });

  it.each([
    ['a string length over the limit', string(8), '00000009' + '61'.repeat(12)],
    ['an array count over the limit', array(int, 2), '00000003' + '00000000'.repeat(3)],
    ['an optional flag of 2', optional(int), '0000000200000000'],
    ['a typed parameter of type 9', typedParam, '0000000161000000' + '00000009' + '00000000'],
  ] as [string, Codec<unknown>, string][])('refuse to read %s', (_what, codec, hex) => {
    expect(
      isCode(
        thrownBy(() => codec.read(new XdrReader(Buffer.from(hex, 'hex')))),
        'HypervisorError',
      ),
    ).toBe(true);
  });

  it('allocate nothing for a count that the payload can not hold', () => {
    const bytes = Buffer.from('0003ffff', 'hex');
    expect(
      isCode(
        thrownBy(() => array(typedParam, 262_144).read(new XdrReader(bytes))),
        'HypervisorError',
      ),
    ).toBe(true);
  });
});
