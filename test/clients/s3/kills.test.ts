import { randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3';
import { describe, expect, it } from 'vitest';
import { canary } from '../../support/canaries.ts';
import { abortUploads, auditDisk } from '../../support/object-audit.ts';
import { openAt, scratchDir } from '../../unit/adapters/objects/open-objects.ts';
import { SandboxProcess } from '../ec2/sandbox-process.ts';
import { sdkOf } from './there-and-back.ts';
import { Traffic } from './traffic.ts';

/** `npm run test:long` asks for more. */
const KILLS = Number(process.env['NOVACTL_S3_KILLS'] ?? '5');
const BUCKETS = ['plain', 'versions'];

async function startAt(dir: string): Promise<SandboxProcess> {
  const secretFile = join(dir, 'secret');
  return SandboxProcess.start(
    ...['--state', join(dir, 'state'), '--hosts', '0', '--regions', 'nova'],
    ...['--access-key', 'AKIAKILLEDAGAINAGAIN', '--secret-key-file', secretFile],
  );
}

async function makeBuckets(sandbox: SandboxProcess): Promise<void> {
  const client = sdkOf(sandbox);
  for (const Bucket of BUCKETS) await client.send(new CreateBucketCommand({ Bucket }));
  const enabled = { Bucket: 'versions', VersioningConfiguration: { Status: 'Enabled' as const } };
  await client.send(new PutBucketVersioningCommand(enabled));
  client.destroy();
}

/** One life of the server: what the last one left is looked at, work is done, and it is killed in the middle. */
async function liveAndDie(dir: string, traffic: Traffic, life: number): Promise<string[]> {
  const sandbox = await startAt(dir);
  if (life === 0) await makeBuckets(sandbox);
  const client = sdkOf(sandbox);
  const problems = await traffic.audit(client);
  await traffic.run(client, { acks: 20 + randomInt(60), moreMs: randomInt(40), cut: () => sandbox.kill9() });
  client.destroy();
  return problems;
}

describe('the S3 server: kill -9', () => {
  it(
    `keeps all that it acknowledged, shows nothing in part and leaves no file, in ${KILLS} kills under puts, copies, uploads and deletes [real]`,
    { timeout: 60_000 + KILLS * 15_000 },
    async () => {
      const dir = await scratchDir();
      await writeFile(join(dir, 'secret'), canary('secret key of the killed'), { mode: 0o600 });
      const traffic = new Traffic(BUCKETS);
      let aborted = 0;
      for (let life = 0; life < KILLS; life += 1) {
        expect(await liveAndDie(dir, traffic, life), `life ${life}`).toEqual([]);
        const objects = join(dir, 'state', 'objects');
        const store = await openAt(objects);
        aborted += await abortUploads(store, BUCKETS);
        await auditDisk(store, objects, BUCKETS);
        await store.close();
      }
      const last = await startAt(dir);
      const client = sdkOf(last);
      expect(await traffic.audit(client)).toEqual([]);
      client.destroy();
      await last.stop();
      const done = Object.fromEntries(traffic.done);
      console.log(`${KILLS} kills: acknowledged ${JSON.stringify(done)}, uploads found under way ${aborted}`);
      expect(Object.keys(done).sort()).toEqual(['copy', 'delete', 'put', 'upload']);
    },
  );
});
