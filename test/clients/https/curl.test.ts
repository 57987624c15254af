import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256Hex } from '../../../src/base/ids.ts';
import { HttpsCloud } from '../../support/https-cloud.ts';

let cloud: HttpsCloud;
beforeAll(async () => {
  cloud = await HttpsCloud.start();
  writeFileSync(join(cloud.dir, 'ca.pem'), cloud.ca);
});
afterAll(() => cloud.close());

interface Curl {
  readonly args: readonly string[];
  readonly key?: string;
  readonly scope?: string;
}

/** A signer that shares no code with ours. The key goes by stdin, never by argv. */
function curl({ args, key, scope = 'aws:amz:nova:novactl' }: Curl): Promise<unknown> {
  const { accessKeyId, secretAccessKey } = cloud.key;
  const all = ['-sS', '--cacert', join(cloud.dir, 'ca.pem'), '--aws-sigv4', scope, '--config', '-', ...args];
  return new Promise((resolve, reject) => {
    const child = execFile('curl', all, (error, stdout, stderr) => {
      if (error !== null) reject(new Error(`curl: ${stderr}`));
      else resolve(JSON.parse(stdout));
    });
    child.stdin?.end(`user = "${key ?? `${accessKeyId}:${secretAccessKey}`}"\n`);
  });
}

const post = (path: string, body: string): string[] => [
  ...['-H', 'content-type: application/json', '-H', `x-amz-content-sha256: ${sha256Hex(body)}`],
  ...['--data-binary', body, `${cloud.url}${path}`],
];

describe("curl's signatures [real]", () => {
  it.each([
    ['127.0.0.1', '{}'],
    ['localhost', '{}'],
  ])('are taken at %s', async (host, body) => {
    const args = post('/v1/DescribeCloud', body).map((word) => word.replace('//127.0.0.1:', `//${host}:`));
    expect(await curl({ args })).toMatchObject({ cloudId: cloud.sim.cloud.context.cloudId });
  });

  it('are taken with a body of letters of every kind and headers of ours', async () => {
    const body = JSON.stringify({ KeyNames: ['a', 'b-c'] });
    const args = ['-H', 'x-novactl-reason:   much    room   ', ...post('/v1/DescribeKeyPairs', body)];
    expect(await curl({ args })).toMatchObject({ error: { code: 'InvalidKeyPair.NotFound' } });
  });

  it('are taken with a query', async () => {
    // In order, since curl before 8.3 signs a query as it stands.
    const args = post('/v1/DescribeCloud?a=0&a=1&b=2&c=%C3%A9', '{}');
    expect(await curl({ args })).toMatchObject({ cloudId: cloud.sim.cloud.context.cloudId });
  });

  it('are taken for an upload', async () => {
    const args = [
      ...['-X', 'PUT', '-H', 'content-type: application/octet-stream', '-H', 'x-amz-content-sha256: UNSIGNED-PAYLOAD'],
      ...['--data-binary', 'the bytes', `${cloud.url}/v1/blobs`],
    ];
    expect(await curl({ args })).toMatchObject({ sizeBytes: 9, sha256: sha256Hex('the bytes') });
  });

  it('are refused with another secret', async () => {
    const key = `${cloud.key.accessKeyId}:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY`;
    const answer = await curl({ args: post('/v1/DescribeCloud', '{}'), key });
    expect(answer).toMatchObject({ error: { code: 'SignatureDoesNotMatch' } });
  });

  it('are refused for another region, which is named', async () => {
    const answer = await curl({ args: post('/v1/DescribeCloud', '{}'), scope: 'aws:amz:mars:novactl' });
    const message = expect.stringMatching(/"mars".*"nova"/) as unknown;
    expect(answer).toMatchObject({ error: { code: 'SignatureDoesNotMatch', message } });
  });
});
