import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/base/json.ts';
import { strictJson } from '../../../src/base/strict-json.ts';

describe('strictJson', () => {
  it('is JSON.stringify for what JSON can carry', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        expect(strictJson(value as Json)).toBe(JSON.stringify(value));
      }),
    );
    expect(strictJson({ a: undefined, b: Object.assign(Object.create(null) as object, { c: 1 }) as Json })).toBe(
      '{"b":{"c":1}}',
    );
  });

  it.each([
    ['undefined', undefined, 'value is undefined'],
    ['a date', { at: new Date() }, 'value.at is a Date'],
    ['a map in a list', { a: [1, new Map()] }, 'value.a[1] is a Map'],
    ['no number', { a: { b: Number.NaN } }, 'value.a.b is NaN'],
    ['a hole', [1, undefined], 'value[1] is undefined'],
    ['a function', { toJSON: () => 1 }, 'value.toJSON is function'],
    ['a bigint', [1n], 'value[0] is bigint'],
    ['bytes', { data: Buffer.from('x') }, 'value.data is a Buffer'],
  ])('refuses %s, naming the place', (_, value, message) => {
    expect(() => strictJson(value as never)).toThrow(
      expect.objectContaining({ code: 'InvalidParameterValue', message: expect.stringContaining(message) as string }),
    );
  });

  it('refuses a circle', () => {
    const circle: Record<string, unknown> = {};
    circle['next'] = { back: circle };
    expect(() => strictJson(circle as Json, 'record')).toThrow(/^record\.next\.back.* in a circle/);
  });
});
