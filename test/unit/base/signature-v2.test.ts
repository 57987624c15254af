import { describe, expect, it } from 'vitest';
import { isSignatureV2Method, signatureV2Of, stringToSignV2 } from '../../../src/base/signature/signature-v2.ts';

/** AWS's own example keys, which sign nothing anywhere. */
const SECRET = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY';
const KEY = 'AKIAIOSFODNN7EXAMPLE';

describe('signature version 2', () => {
  it('is the one of the example that AWS published', () => {
    const parts = {
      ...{ method: 'GET', host: 'elasticmapreduce.amazonaws.com', path: '/' },
      parameters: Object.entries({
        AWSAccessKeyId: KEY,
        Action: 'DescribeJobFlows',
        SignatureMethod: 'HmacSHA256',
        SignatureVersion: '2',
        Timestamp: '2011-10-03T15:19:30',
        Version: '2009-03-31',
      }),
    };
    expect(signatureV2Of(SECRET, 'HmacSHA256', parts)).toBe('i91nKc4PWAt0JJIdXwz9HxZCJDdiy6cf/Mj6vPxyYIs=');
  });

  it('is what boto 2 makes of hard characters, by SHA-1', () => {
    // The expected values are from the lines of boto 2.49 that sign (QuerySignatureV2AuthHandler), run in Python.
    const parts = {
      ...{ method: 'post', host: 'Cloud.example.org:8773', path: '/services/Cloud/' },
      parameters: Object.entries({
        'Filter.2.Name': 'y',
        'Filter.10.Name': 'z',
        UserData: "a b+c/=~*'é",
        AWSAccessKeyId: `${KEY}:admin`,
        Action: 'RunInstances',
        SignatureMethod: 'HmacSHA1',
        SignatureVersion: '2',
        Timestamp: '2010-08-31T12:00:00Z',
        Version: '2009-11-30',
      }),
    };
    expect(stringToSignV2(parts).split('\n')).toEqual([
      'POST',
      'cloud.example.org:8773',
      '/services/Cloud/',
      'AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE%3Aadmin&Action=RunInstances&Filter.10.Name=z&Filter.2.Name=y&SignatureMethod=HmacSHA1&SignatureVersion=2&Timestamp=2010-08-31T12%3A00%3A00Z&UserData=a%20b%2Bc%2F%3D~%2A%27%C3%A9&Version=2009-11-30',
    ]);
    expect(signatureV2Of(SECRET, 'HmacSHA1', parts)).toBe('b8HDACzwGwYRsjoiHpSZvUVJ+ps=');
  });

  it('knows two hashes', () => {
    expect(['HmacSHA1', 'HmacSHA256', 'HmacMD5', 'toString', ''].map(isSignatureV2Method)).toEqual([
      ...[true, true, false, false, false],
    ]);
  });
});
