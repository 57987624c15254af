import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFileBlobs } from '../../../src/adapters/blobs/file-blobs.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import type { CallMeta } from '../../../src/controller/operations/handler.ts';
import { InProcessClient } from '../../../src/launch/in-process-client.ts';
import { cloudClientContract } from '../../contract/cloud-client.ts';
import type { SeenCall } from '../../support/fake-cloud.ts';

const random = new SystemRandom();

const seen = (name: string, input: unknown, meta: CallMeta): SeenCall => ({
  name,
  input,
  clientToken: meta.clientToken,
  reason: meta.reason,
  sudoUser: undefined,
  dryRun: meta.dryRun === true,
});

cloudClientContract('in process', (backend) => {
  const dir = mkdtempSync(join(tmpdir(), 'novactl-in-process-'));
  const client = new InProcessClient({
    gateway: {
      unary: async (name, input, meta) => backend.unary(seen(name, input, meta)),
      duplex: () => Promise.reject(new Error('not in this contract')),
      stream: (name, input, meta, signal) => backend.stream(seen(name, input, meta), signal),
    },
    blobs: createFileBlobs({ dir, random }),
    random,
    principal: { name: 'root@here', projectId: 'admin', roles: ['cloudadmin'], from: 'process' },
  });
  const close = () => Promise.resolve(rmSync(dir, { recursive: true }));
  return Promise.resolve({ client, close });
});
