import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemRandom } from '../../../../../src/base/random.ts';
import type { S3Exchange } from '../../../../../src/client/cloud-client.ts';
import type { Principal } from '../../../../../src/controller/operations/handler.ts';
import { InProcessClient } from '../../../../../src/launch/in-process-client.ts';
import { startSimCloud, type SimCloud } from '../../../../support/sim-cloud.ts';
import { simS3Door } from '../../../../support/sim-s3-door.ts';

let dir: string;
let sim: SimCloud;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'novactl-quota-'));
  sim = await startSimCloud({ stateDir: dir, hosts: [] });
});
afterAll(async () => {
  await sim.close();
  rmSync(dir, { recursive: true, force: true });
});

/** Asks as a member of a project with these standings. */
async function as(
  roles: readonly string[],
  request: S3Exchange,
  more: Partial<Principal> = { userName: 'ann' },
): Promise<{ status: number; xml: string }> {
  const { gateway, blobs } = sim.cloud;
  const principal = { name: 'ann', projectId: 'admin', roles: ['member', ...roles], from: 'test', ...more };
  const client = new InProcessClient({
    ...{ gateway, blobs, random: new SystemRandom(), s3: simS3Door(sim, dir), principal },
  });
  const { status, body } = await client.s3(request);
  return { status, xml: await text(body) };
}

const quota = (inside: string): S3Exchange => ({
  ...{ method: 'PUT', path: '/files?x-novactl-quota' },
  body: `<BucketQuota>${inside}</BucketQuota>`,
});
const GET: S3Exchange = { method: 'GET', path: '/files?x-novactl-quota' };

describe('the quota of a bucket [sim]', () => {
  it('is set by who answers for the project, shown with what is used, and holds', async () => {
    expect(await as(['developer'], { method: 'PUT', path: '/files' })).toMatchObject({ status: 200 });
    expect(await as(['developer'], { method: 'PUT', path: '/files/a', body: '0123456789' })).toMatchObject({
      status: 200,
    });
    expect(await as(['manager'], quota('<MaxBytes>15</MaxBytes><MaxObjects>9</MaxObjects>'))).toMatchObject({
      status: 200,
    });
    const { xml } = await as([], GET);
    expect(xml.replace(/ xmlns="[^"]*"/, '')).toContain(
      '<BucketQuota><UsedBytes>10</UsedBytes><UsedObjects>1</UsedObjects><MaxBytes>15</MaxBytes><MaxObjects>9</MaxObjects></BucketQuota>',
    );
    const over = await as(['developer'], { method: 'PUT', path: '/files/b', body: '0123456789' });
    expect(over.status).toBeGreaterThanOrEqual(400);
    expect(over.xml).toContain('QuotaExceeded');
    expect(await as(['cloudadmin'], quota(''))).toMatchObject({ status: 200 });
    expect(await as(['developer'], { method: 'PUT', path: '/files/b', body: '0123456789' })).toMatchObject({
      status: 200,
    });
    expect((await as([], GET)).xml).not.toContain('MaxBytes');
  });

  it('is nobody else’s to set, whatever a policy says', async () => {
    const Statement = [
      { Effect: 'Allow', Principal: '*', Action: 's3:*', Resource: ['arn:aws:s3:::files', 'arn:aws:s3:::files/*'] },
    ];
    const policy = JSON.stringify({ Version: '2012-10-17', Statement });
    expect(await as(['manager'], { method: 'PUT', path: '/files?policy', body: policy })).toMatchObject({
      status: 204,
    });
    for (const roles of [['developer'], ['sysadmin'], []]) {
      const { status, xml } = await as(roles, quota('<MaxBytes>1</MaxBytes>'));
      expect({ roles, status }).toEqual({ roles, status: 403 });
      expect(xml).toContain('cloudadmin');
    }
    const elsewhere = { userName: 'bob', projectId: 'p-2' };
    expect(await as(['manager'], quota('<MaxBytes>1</MaxBytes>'), elsewhere)).toMatchObject({ status: 403 });
  });

  it('is refused where it is no quota', async () => {
    for (const inside of ['<MaxBytes>-1</MaxBytes>', '<MaxBytes>1</MaxBytes><MaxBytes>2</MaxBytes>', '<Other/>']) {
      const { status, xml } = await as(['manager'], quota(inside));
      expect({ inside, status }).toEqual({ inside, status: 400 });
      expect(xml).toContain('MalformedXML');
    }
  });
});
