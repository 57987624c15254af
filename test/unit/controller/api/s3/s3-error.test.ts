import { describe, expect, it } from 'vitest';
import { ERROR_TABLE, type ErrorCode } from '../../../../../src/base/error-codes.ts';
import { CloudError } from '../../../../../src/base/errors.ts';
import { parseXml, xmlText } from '../../../../../src/base/xml.ts';
import { s3Fault, s3FaultAnswer } from '../../../../../src/controller/api/s3/s3-error.ts';

const CODES = Object.keys(ERROR_TABLE) as ErrorCode[];
const ids = { requestId: '0123456789ABCDEF', hostId: 'host', resource: '/b/k' };

describe('what a client of S3 is told of an error', () => {
  it.each(CODES)('has a status and a message that is not empty: %s', (code) => {
    const { status, code: told, message } = s3Fault(new CloudError(code, ''), ids.requestId);
    expect(told).toMatch(/^[A-Za-z0-9]+$/);
    expect(message).not.toBe('');
    expect(status).toBeGreaterThanOrEqual(300);
    expect(status).toBeLessThan(600);
  });

  it.each<[ErrorCode, number, string]>([
    ['NoSuchKey', 404, 'NoSuchKey'],
    ['NoSuchObjectVersion', 404, 'NoSuchVersion'],
    ['AuthFailure', 403, 'AccessDenied'],
    ['UnauthorizedOperation', 403, 'AccessDenied'],
    ['InvalidClientTokenId', 403, 'InvalidAccessKeyId'],
    ['InvalidParameterValue', 400, 'InvalidArgument'],
    ['Unavailable', 503, 'ServiceUnavailable'],
    ['SlowDown', 503, 'SlowDown'],
    ['CorruptState', 500, 'InternalError'],
    ['HostError', 500, 'InternalError'],
    ['InvalidInstanceID.NotFound', 400, 'InvalidRequest'],
  ])('is in the words of S3: %s', (code, status, told) => {
    expect(s3Fault(new CloudError(code, 'because'), 'id')).toMatchObject({ status, code: told });
  });

  it('keeps what went wrong inside to itself, and names the request', () => {
    const details = { bucket: 'b', key: 'secret' };
    for (const code of ['InternalError', 'CorruptState', 'Unavailable'] as const) {
      const answer = s3FaultAnswer(new CloudError(code, '/var/lib/x: gone', { details }), ids);
      expect(answer.body).not.toMatch(/var|secret/);
      expect(answer.body).toContain(ids.requestId);
    }
  });

  it('tells of what it is, with headers where S3 has them', () => {
    const details = { bucket: 'b', key: '<k>', region: 'nova', headers: { allow: 'GET' } };
    const answer = s3FaultAnswer(new CloudError('MethodNotAllowed', 'not <here>', { details }), ids);
    expect(answer.headers).toMatchObject({ allow: 'GET', 'content-type': 'application/xml' });
    const xml = parseXml(typeof answer.body === 'string' ? answer.body : '');
    const told = ['Code', 'Message', 'BucketName', 'Key', 'Region', 'Resource', 'RequestId'].map((name) =>
      xmlText(xml, name),
    );
    expect(told).toEqual(['MethodNotAllowed', 'not <here>', 'b', '<k>', 'nova', '/b/k', ids.requestId]);
  });

  it('has no body when nothing was modified', () => {
    const details = { headers: { etag: '"x"' } };
    expect(s3FaultAnswer(new CloudError('NotModified', 'x', { details }), ids)).toEqual({
      status: 304,
      headers: { etag: '"x"' },
    });
  });
});
