import { describe, expect, it } from 'vitest';
import { checkPostPolicy, parsePostPolicy } from '../../../../src/domain/s3/post-policy.ts';

const code = (name: string, message = ''): object =>
  expect.objectContaining({ code: name, message: expect.stringContaining(message) });
const base64 = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64');
const policy = (...conditions: unknown[]): string => base64({ expiration: '2026-01-01T00:00:00.000Z', conditions });
const check = (text: string, fields: Record<string, string>, now = '2025-12-31T23:59:59Z'): void =>
  checkPostPolicy(parsePostPolicy(text), new Map([...Object.entries(fields), ['bucket', 'b']]), Date.parse(now));

describe('the policy of a form', () => {
  it('lets through what it describes', () => {
    const text = policy(
      { bucket: 'b' },
      ['starts-with', '$key', 'user/'],
      ['eq', '$Content-Type', 'text/plain'],
      ['starts-with', '$x-amz-meta-a', ''],
      { success_action_status: 201 },
    );
    const fields = { key: 'user/x', 'content-type': 'text/plain', 'x-amz-meta-a': 'any', success_action_status: '201' };
    check(text, fields);
    check(text, {
      ...fields,
      policy: 'p',
      'x-amz-signature': 's',
      'x-ignore-me': '1',
      awsaccesskeyid: 'a',
      signature: 's',
    });
    const refused: [Record<string, string>, string][] = [
      [{ ...fields, key: 'other/x' }, 'field key must begin with "user/"'],
      [{ ...fields, 'content-type': 'text/html' }, 'field content-type must be "text/plain"'],
      [{ ...fields, acl: 'public-read' }, 'nothing of the field acl'],
    ];
    for (const [given, message] of refused)
      expect(() => check(text, given)).toThrow(code('AccessDenied', message) as Error);
    expect(() => check(text, fields, '2026-01-01T00:00:00Z')).toThrow(code('AccessDenied', 'expired') as Error);
    expect(() => check(policy({ bucket: 'c' }), {})).toThrow(code('AccessDenied', 'bucket') as Error);
  });

  it('bounds the file by all its ranges', () => {
    expect(parsePostPolicy(policy(['content-length-range', 1, 10], ['content-length-range', '5', '20']))).toMatchObject(
      { minBytes: 5, maxBytes: 10 },
    );
    expect(parsePostPolicy(policy())).toMatchObject({ minBytes: 0, maxBytes: Infinity });
  });

  it('is refused when it is none', () => {
    for (const text of [
      ...['', base64('{'), base64({}), base64({ expiration: 'soon', conditions: [] })],
      ...[
        policy(['gt', '$key', 'x']),
        policy(['eq', 'key', 'x']),
        policy({ a: '1', b: '2' }),
        policy(['content-length-range', -1, 2]),
        policy(['content-length-range', 1]),
      ],
    ])
      expect(() => parsePostPolicy(text), text).toThrow(code('InvalidPolicyDocument') as Error);
  });
});
