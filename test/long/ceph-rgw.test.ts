import { afterAll, beforeAll } from 'vitest';
import { blobsContract } from '../contract/blobs.ts';
import { PrivateCeph } from '../support/private-ceph.ts';

let ceph: PrivateCeph;
beforeAll(async () => (ceph = await PrivateCeph.start()));
afterAll(() => ceph.destroy());

blobsContract('a bucket of Ceph, by TLS [real]', () =>
  Promise.resolve({ blobs: ceph.blobs(), close: () => Promise.resolve() }),
);
