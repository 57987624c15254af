import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { ConfigSchema, type Config } from '../../src/launch/config/schema.ts';
import { ObjectsHere } from '../../src/launch/objects-here.ts';
import { createS3Api, type S3Api } from '../../src/launch/s3.ts';
import { startSimCloud, type SimCloud } from '../support/sim-cloud.ts';

let sim: SimCloud;
let dir: string;
beforeAll(async () => {
  sim = await startSimCloud({ hosts: [] });
  dir = mkdtempSync(join(tmpdir(), 'novactl-s3-launch-'));
});
afterAll(async () => {
  await sim.close();
  rmSync(dir, { recursive: true, force: true });
});

function api(objectstore: Record<string, unknown>): S3Api {
  const { clock, random } = sim;
  const config: Config = ConfigSchema.parse({ drivers: 'simulated', stateDir: dir, objectstore });
  const parts = { config, clock, random, logger: silentLogger };
  const objects = new ObjectsHere(parts);
  const s3 = createS3Api({ context: sim.cloud.context, objects }, parts);
  return {
    start: () => s3.start(),
    async close() {
      await s3.close();
      await objects.close();
    },
  };
}

describe('where S3 listens [sim]', () => {
  it('is nowhere by default', async () => {
    const s3 = api({});
    expect(await s3.start()).toEqual([]);
    await s3.close();
  });

  it('is by TLS, with a certificate for the names of buckets too', async () => {
    const s3 = api({ listen: ['127.0.0.1'], port: 0, domains: ['s3.example.org'] });
    const [url = ''] = await s3.start();
    expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    const ca = readFileSync(join(dir, 'tls', 'ca.pem'), 'utf8');
    const ask = (servername: string): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        request(`${url}/`, { ca, servername, headers: { host: servername }, agent: false }, (response) => {
          response.resume();
          resolve(response.statusCode);
        })
          .on('error', reject)
          .end();
      });
    expect(await ask('bucket.s3.example.org')).toBe(404);
    expect(await ask('s3.example.org')).toBe(403);
    await expect(ask('bucket.example.net')).rejects.toThrow(/altnames/);
    await s3.close();
  });

  it('is on loopback alone without TLS, unless that is allowed', async () => {
    const refused = api({ listen: ['192.0.2.1'], protocol: 'http' });
    await expect(refused.start()).rejects.toMatchObject({ code: 'InvalidParameterCombination' });
    await refused.close();
  });

  it('is one process, which has the objects', async () => {
    const first = api({ listen: ['127.0.0.1'], port: 0, protocol: 'http' });
    await first.start();
    const second = api({ listen: ['127.0.0.1'], port: 0, protocol: 'http' });
    await expect(second.start()).rejects.toMatchObject({
      code: 'LockBusy',
      message: expect.stringContaining(`process ${process.pid} (novactl serve`) as string,
    });
    await second.close();
    await first.close();
    const third = api({ listen: ['127.0.0.1'], port: 0, protocol: 'http' });
    expect(await third.start()).toHaveLength(1);
    await third.close();
  });
});
