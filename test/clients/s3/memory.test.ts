import { CreateBucketCommand, type S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SandboxProcess } from '../ec2/sandbox-process.ts';
import { peakMib, resetPeak } from './peak-memory.ts';
import { sdkOf, thereAndBack } from './there-and-back.ts';

const GROWTH_MAX_MIB = 40;

describe('the memory of the S3 server [real]', () => {
  let sandbox: SandboxProcess;
  let client: S3Client;
  beforeAll(async () => {
    sandbox = await SandboxProcess.start();
    client = sdkOf(sandbox);
    await client.send(new CreateBucketCommand({ Bucket: 'memory' }));
  });
  afterAll(async () => {
    client.destroy();
    await sandbox.stop();
  });

  it('does not grow with what goes up in parts and comes back', async () => {
    const peaks: number[] = [];
    for (const mib of [64, 256]) {
      resetPeak(sandbox.pid);
      const trip = await thereAndBack(client, { Bucket: 'memory', Key: `of ${mib}` }, { mib, partMib: 8 });
      expect(trip.came).toBe(trip.sent);
      peaks.push(peakMib(sandbox.pid));
    }
    const [small = NaN, large = NaN] = peaks;
    console.log(`RSS at its highest: ${small.toFixed(0)} MiB with 64 MiB, ${large.toFixed(0)} MiB with 256 MiB`);
    expect(large - small).toBeLessThan(GROWTH_MAX_MIB);
  }, 180_000);
});
