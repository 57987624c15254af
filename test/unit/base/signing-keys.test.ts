import { describe, expect, it } from 'vitest';
import { type Scope, signingKeys } from '../../../src/base/signature/signing-keys.ts';

const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
const SCOPE: Scope = { date: '20150830', region: 'us-east-1', service: 'iam' };
const hex = (key: { export(): Buffer }): string => key.export().toString('hex');

describe('signing keys', () => {
  it('are those that AWS derives', () => {
    // AWS, "Examples of how to derive a signing key".
    expect(hex(signingKeys()(SECRET, SCOPE))).toBe('c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9');
  });

  it('are made once for each secret, day, region and service', () => {
    const keyOf = signingKeys();
    const key = keyOf(SECRET, SCOPE);
    expect(keyOf(SECRET, { ...SCOPE })).toBe(key);
    const others = [
      keyOf(`${SECRET}x`, SCOPE),
      ...[{ date: '20150831' }, { region: 'us-east-2' }, { service: 'ec2' }].map((other) =>
        keyOf(SECRET, { ...SCOPE, ...other }),
      ),
      // No other way to cut the same letters.
      keyOf(SECRET, { ...SCOPE, region: 'us-east-1i', service: 'am' }),
      keyOf(SECRET, { ...SCOPE, date: '2015083', region: '0us-east-1' }),
    ];
    expect(new Set([key, ...others].map(hex)).size).toBe(7);
  });

  it('are forgotten, the oldest first, when there are more than are kept, and are then the same again', () => {
    const keyOf = signingKeys(2);
    const [first, second] = [keyOf('1', SCOPE), keyOf('2', SCOPE)];
    keyOf('3', SCOPE);
    expect(keyOf('2', SCOPE)).toBe(second);
    const again = keyOf('1', SCOPE);
    expect(again).not.toBe(first);
    expect(hex(again)).toBe(hex(first));
  });
});
