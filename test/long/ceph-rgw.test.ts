import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blobsContract } from '../contract/blobs.ts';
import { cloudOnEndpoint } from '../contract/cloud-on-endpoint.ts';
import { s3EndpointContract } from '../contract/s3-endpoint.ts';
import { cephMissing, PrivateCeph } from '../support/private-ceph.ts';

const missing = cephMissing();
let ceph: PrivateCeph;
beforeAll(async () => {
  if (missing === undefined) ceph = await PrivateCeph.start();
});
afterAll(() => ceph?.destroy());

describe('the S3 server of Ceph [real]', () => {
  it('says of which version it is', async (context) => {
    context.skip(missing !== undefined, missing);
    const version = await ceph.version();
    console.log(`Ceph ${version}`);
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  });
});

if (missing === undefined) {
  const close = (): Promise<void> => Promise.resolve();
  blobsContract('a bucket of Ceph, by TLS [real]', () => Promise.resolve({ blobs: ceph.blobs(), close }));
  blobsContract('a bucket of Ceph, without TLS [real]', () =>
    Promise.resolve({ blobs: ceph.blobs({ endpoint: ceph.plainUrl }), close }),
  );
  s3EndpointContract('the S3 server of Ceph', () => ceph, { checksRegion: false });
  cloudOnEndpoint('the S3 server of Ceph', () => ceph);
}
