import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeBootDisk, whyNoBootDisk } from '../../support/boot-disk.ts';
import { ensureLibvirtd } from '../../support/libvirtd.ts';
import { libvirtdMissing } from '../../support/private-libvirtd.ts';
import type { InstanceRow } from '../../support/test-cloud.ts';
import { run, TestCloud } from '../../support/test-cloud.ts';
import { tinyImage } from '../../support/tiny-image.ts';
import { until } from '../../support/until.ts';

const missing = libvirtdMissing() ?? whyNoBootDisk();

/** An image that boots by its own boot loader, as qcow2 and as raw: the disk under it is an overlay either way. */
describe.skipIf(missing !== undefined)(`whole-disk images [real]${missing === undefined ? '' : `: ${missing}`}`, () => {
  let cloud: TestCloud;
  let raw = '';

  beforeAll(async () => {
    await ensureLibvirtd();
    const tiny = await tinyImage();
    if (typeof tiny === 'string') throw new Error(tiny);
    cloud = new TestCloud();
    raw = join(cloud.dir, 'disk.raw');
    makeBootDisk(raw, tiny);
    await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, join(cloud.dir, 'disk.qcow2')]);
    await cloud.start();
    await cloud.ok('host', 'add', 'here', '--local');
  }, 120_000);

  afterAll(async () => {
    await cloud.destroy();
  }, 60_000);

  it.each(['raw', 'qcow2'])('%s boots, takes an address and knows who it is', { timeout: 120_000 }, async (format) => {
    await cloud.ok('image', 'import', join(cloud.dir, `disk.${format}`), '--name', `disk-${format}`);
    const { instances } = await cloud.json<{ instances: InstanceRow[] }>(
      ...['run-instance', '--image', `disk-${format}`, '--type', 'm1.nano', '--wait'],
    );
    const [row] = instances;
    const id = row?.instanceId ?? '';
    const text = await until(
      async () => {
        const log = await cloud.ok('instance', 'log', id);
        return log.includes('NOVACTL-READY') ? log : undefined;
      },
      { what: 'the guest is ready', timeoutMs: 90_000, everyMs: 250 },
    );
    expect(text).toContain(`NOVACTL-META ${id}`);
    expect(text).toContain(`NOVACTL-NET ${row?.privateIpAddress ?? ''}/`);
    await cloud.ok('instance', 'terminate', '--yes', '--wait', id);
  });
});
