import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestCloud } from '../support/test-cloud.ts';

let cloud: TestCloud;
beforeAll(() => {
  cloud = new TestCloud({ NOVACTL_DRIVERS: 'simulated', NOVACTL_METADATA_LISTEN: 'none' });
});
afterAll(() => cloud.destroy());

const MIB = 1024 * 1024;

describe('objects of the built command line [sim]', () => {
  it('are whole after kill -9 of the daemon that has them, and then those of a command alone', async () => {
    const bytes = randomBytes(3 * MIB);
    const file = join(cloud.dir, 'sent');
    writeFileSync(file, bytes);
    await cloud.start();
    for (const words of [
      ['bucket', 'create', 'box'],
      ['object', 'put', file, 'box/a'],
    ])
      expect(await cloud.cli(...words)).toMatchObject({ code: 0 });
    const holder = JSON.parse(readFileSync(join(cloud.dir, 'state', 'objects', 'objects.holder'), 'utf8')) as object;
    expect(holder).toMatchObject({ pid: cloud.pid, command: 'novactl serve', kind: 'daemon' });
    await cloud.kill9();
    const back = join(cloud.dir, 'back');
    expect(await cloud.cli('object', 'get', 'box/a', back)).toMatchObject({ code: 0 });
    expect(readFileSync(back).equals(bytes)).toBe(true);
    const scrub = await cloud.cli('objectstore', 'scrub', '--json');
    expect(scrub.code).toBe(0);
    expect(JSON.parse(scrub.stdout)).toMatchObject({ objects: 1, bytes: 3 * MIB, damagedCount: 0, unnamed: 0 });
  });
});
