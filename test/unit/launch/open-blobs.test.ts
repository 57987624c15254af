import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SystemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/logger.ts';
import { SystemRandom } from '../../../src/base/random.ts';
import { ConfigSchema } from '../../../src/launch/config/schema.ts';
import { openBlobs } from '../../../src/launch/open-blobs.ts';
import { canary } from '../../support/canaries.ts';
import { TestAuthority } from '../../support/test-authority.ts';

let dir: string;
beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'novactl-open-blobs-'))));
afterEach(() => rmSync(dir, { recursive: true }));

async function opened(caFile: string) {
  const secretKeyFile = join(dir, 'secret');
  writeFileSync(secretKeyFile, canary('endpoint'), { mode: 0o600 });
  const endpoint = { endpoint: 'https://127.0.0.1:9', bucket: 'images', accessKeyId: 'KEY', secretKeyFile, caFile };
  const config = ConfigSchema.parse({ stateDir: dir, objectstore: endpoint });
  return openBlobs(config, { clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger });
}

it('hosts are told which authority the configured endpoint is trusted by, also while a folder goes on being read', async () => {
  const { caFile, ca } = new TestAuthority(join(dir, 'tls'));
  expect((await opened('')).presignCa).toBeUndefined();
  expect((await opened(caFile)).presignCa).toBe(ca.toString());
  mkdirSync(join(dir, 'blobs', 'names'), { recursive: true });
  const both = await opened(caFile);
  expect([both.presignCa, typeof both.presign]).toEqual([ca.toString(), 'function']);
});
