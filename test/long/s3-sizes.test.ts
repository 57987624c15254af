import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as sdk from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { peakMib, resetPeak } from '../clients/s3/peak-memory.ts';
import { sdkOf, thereAndBack } from '../clients/s3/there-and-back.ts';
import { SandboxProcess } from '../clients/ec2/sandbox-process.ts';

/** 1 is what npm run test:long is for; less is for trying the test. */
const SHARE = Number(process.env['NOVACTL_S3_SHARE'] ?? '1');
/** The first is what the process needs to get warm, whatever the size. */
const LARGE_MIB = [1024, 5120].map((mib) => Math.ceil(mib * SHARE));
const GROWTH_MAX_MIB = 40;
const FILES = Math.ceil(10_000 * SHARE);
const KEYS = Math.ceil(100_000 * SHARE);
const AT_ONCE = 16;
const HOUR_MS = 3_600_000;

const seconds = (sinceMs: number): number => (performance.now() - sinceMs) / 1000;
const figures: string[] = [];
const note = (line: string): void => void figures.push(line);

describe('S3 at full size [real]', () => {
  let sandbox: SandboxProcess;
  let client: sdk.S3Client;
  beforeAll(async () => {
    sandbox = await SandboxProcess.start();
    client = sdkOf(sandbox);
    for (const Bucket of ['large', 'files', 'keys']) await client.send(new sdk.CreateBucketCommand({ Bucket }));
  });
  afterAll(async () => {
    client.destroy();
    await sandbox.stop();
    console.log(figures.join('\n'));
  });

  it(
    'takes and gives 5 GB, with no more memory than 1 GB needs',
    async () => {
      const peaks: number[] = [];
      for (const mib of LARGE_MIB) {
        resetPeak(sandbox.pid);
        const target = { Bucket: 'large', Key: `of ${mib}` };
        const { sent, came, upSeconds, downSeconds } = await thereAndBack(client, target, { mib, partMib: 16 });
        expect(came).toBe(sent);
        peaks.push(peakMib(sandbox.pid));
        note(
          `${mib} MiB: up in parts of 16 MiB ${(mib / upSeconds).toFixed(0)} MiB/s, down ${(mib / downSeconds).toFixed(0)} MiB/s, RSS at its highest ${peakMib(sandbox.pid).toFixed(0)} MiB`,
        );
        await client.send(new sdk.DeleteObjectCommand(target));
      }
      expect((peaks[1] ?? NaN) - (peaks[0] ?? NaN)).toBeLessThan(GROWTH_MAX_MIB);
    },
    HOUR_MS,
  );

  it(
    'has 10,000 files synchronised both ways by rclone, and compared',
    async () => {
      const home = await mkdtemp(join(sandbox.home, 'files-'));
      for (let at = 0; at < FILES; at += 1) {
        const folder = join(home, 'tree', String(at % 100));
        if (at < 100) await mkdir(folder, { recursive: true });
        await writeFile(join(folder, `file ${at}`), `the bytes of file ${at}\n`.repeat(at % 50));
      }
      const run = promisify(execFile);
      const env = {
        ...{ ...sandbox.env, HOME: home, RCLONE_CONFIG: '/dev/null', RCLONE_TRANSFERS: '16', RCLONE_CHECKERS: '16' },
        ...{ RCLONE_CONFIG_NOVA_TYPE: 's3', RCLONE_CONFIG_NOVA_PROVIDER: 'Other', RCLONE_CONFIG_NOVA_ENV_AUTH: 'true' },
        ...{ RCLONE_CONFIG_NOVA_ENDPOINT: sandbox.facts.s3Url, RCLONE_CONFIG_NOVA_REGION: sandbox.facts.region },
      };
      const [tree, back] = [join(home, 'tree'), join(home, 'back')];
      const steps: readonly (readonly [string, string, string[]])[] = [
        ['sync up', 'rclone', ['sync', tree, 'nova:files']],
        ['check by MD5', 'rclone', ['check', tree, 'nova:files']],
        ['sync up once more, nothing to do', 'rclone', ['sync', '--checksum', tree, 'nova:files']],
        ['sync down', 'rclone', ['sync', 'nova:files', back]],
        ['diff', 'diff', ['-r', tree, back]],
      ];
      for (const [what, command, args] of steps) {
        const startedMs = performance.now();
        await run(command, args, { env });
        note(`${FILES} files: ${what} ${seconds(startedMs).toFixed(1)} s`);
      }
    },
    HOUR_MS,
  );

  it(
    'lists 100,000 keys that were put one by one through the API',
    async () => {
      const keyOf = (at: number): string => `${at % 97}/key ${String(at).padStart(6, '0')}`;
      let next = 0;
      const putting = performance.now();
      const putter = async (): Promise<void> => {
        while (next < KEYS) {
          const Key = keyOf(next++);
          await client.send(new sdk.PutObjectCommand({ Bucket: 'keys', Key, Body: Key }));
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, putter));
      note(`${KEYS} keys: put by ${AT_ONCE} at once of the SDK ${(KEYS / seconds(putting)).toFixed(0)} a second`);
      const listing = performance.now();
      const found: string[] = [];
      for await (const page of sdk.paginateListObjectsV2({ client }, { Bucket: 'keys' }))
        found.push(...(page.Contents ?? []).map(({ Key }) => Key ?? ''));
      note(`${KEYS} keys: listed by pages of 1,000 in ${seconds(listing).toFixed(1)} s`);
      expect(found).toEqual(Array.from({ length: KEYS }, (_, at) => keyOf(at)).sort());
      const deleting = performance.now();
      for (let at = 0; at < KEYS; at += 1000) {
        const Objects = found.slice(at, at + 1000).map((Key) => ({ Key }));
        const { Errors = [] } = await client.send(
          new sdk.DeleteObjectsCommand({ Bucket: 'keys', Delete: { Objects, Quiet: true } }),
        );
        expect(Errors).toEqual([]);
      }
      note(`${KEYS} keys: deleted a thousand at a time in ${seconds(deleting).toFixed(1)} s`);
      await client.send(new sdk.DeleteBucketCommand({ Bucket: 'keys' }));
    },
    HOUR_MS,
  );
});
