import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MarkedOutput } from '../../../../src/adapters/host-shell/marked-output.ts';

const TOKEN = 'a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4';

/** Bytes that are often parts of a mark. */
const nasty = fc
  .array(fc.oneof(fc.constantFrom(TOKEN, 'a1b2', 'a', '<', '>', '0.'), fc.string()), { maxLength: 8 })
  .map((parts) => Buffer.from(parts.join('')))
  .filter((bytes) => !bytes.includes(`${TOKEN}<`) && !bytes.includes(`${TOKEN}>`));

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

const fed = (bytes: Buffer, cuts: readonly number[]): MarkedOutput => {
  const output = new MarkedOutput(TOKEN);
  for (const chunk of cut(bytes, cuts)) output.push(chunk);
  return output;
};
const cuts = fc.array(fc.nat(), { maxLength: 12 });

describe('marked output', () => {
  it('takes what is between the marks, however it is cut', () => {
    fc.assert(
      fc.property(nasty, nasty, nasty, fc.nat(255), cuts, (noise, body, after, code, at) => {
        const bytes = Buffer.concat([noise, Buffer.from(`${TOKEN}<`), body, Buffer.from(`${TOKEN}>${code}.`), after]);
        const output = fed(bytes, at);
        expect(output.exitCode).toBe(code);
        expect(output.body().equals(body)).toBe(true);
        expect(output.bodyBytes).toBe(body.length);
      }),
    );
  });

  it('without an end mark has no exit code, and all that came', () => {
    fc.assert(
      fc.property(nasty, nasty, cuts, (noise, body, at) => {
        const output = fed(Buffer.concat([noise, Buffer.from(`${TOKEN}<`), body]), at);
        expect(output.began).toBe(true);
        expect(output.exitCode).toBeUndefined();
        expect(output.body().equals(body)).toBe(true);
      }),
    );
  });

  it('that never began keeps the last of what the login said', () => {
    const output = fed(Buffer.from(`${'x'.repeat(9000)}sudo: a password is required\n`), [10, 5000]);
    expect(output.began).toBe(false);
    expect(output.noise().toString()).toMatch(/x{100}sudo: a password is required\n$/);
    expect(output.noise().length).toBeLessThanOrEqual(2100);
    expect(output.body().length).toBe(0);
  });

  it('counts bytes as they come, so that a limit holds at once', () => {
    const output = fed(Buffer.from(`${TOKEN}<${'x'.repeat(100)}`), []);
    expect(output.bodyBytes).toBe(100);
  });
});
