import { describe, expect, it } from 'vitest';
import { presignUrl } from '../../../src/base/signature/presign-url.ts';

/** AWS, "Authenticating requests: using query parameters": the example of that page, whose secret everybody knows. */
const KEY = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };

describe('a presigned URL', () => {
  it("is AWS's own example, byte for byte", () => {
    const url = presignUrl(
      {
        ...{ method: 'GET', protocol: 'https:', host: 'examplebucket.s3.amazonaws.com', path: '/test.txt' },
        ...{ region: 'us-east-1', service: 's3', expiresS: 86_400, nowMs: Date.parse('2013-05-24T00:00:00Z') },
      },
      KEY,
    );
    expect(url).toBe(
      'https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256' +
        '&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z' +
        '&X-Amz-Expires=86400&X-Amz-SignedHeaders=host' +
        '&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404',
    );
  });
});
