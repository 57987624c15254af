import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, copyFileSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeBootDisk, whyNoBootDisk } from '../../support/boot-disk.ts';
import { DAY_CLIENTS, whyNoClient } from '../../support/ec2-clients.ts';
import { freePorts } from '../../support/free-ports.ts';
import { writeSpeakingImage } from '../../support/still-image.ts';
import { tinyImage } from '../../support/tiny-image.ts';
import { exactChecks } from '../support/exact-checks.ts';
import { LabCloud } from '../support/lab-cloud.ts';
import { namespaceHostsMissing } from '../support/namespace-host.ts';
import { BOOT_MS, type BundleAsked, ImageClient } from './image-client.ts';

const AWS_CLI = DAY_CLIENTS.filter(({ id }) => id === 'awscli');
const missing = namespaceHostsMissing() ?? whyNoBootDisk() ?? AWS_CLI.map(whyNoClient).find((why) => why !== undefined);
const title = `images of objects, by the AWS CLI, on a host over SSH [real]${missing === undefined ? '' : `: ${missing}`}`;

const DISK_MIB = 24;
const MANY = 20;
const MANY_BYTES = 32 * 1024 * 1024;
const MIB = 1024 * 1024;
/** Between the boot record and the partition. */
const MARK_SECTOR = 64;
const LEFT = 'left by a guest';
/** What the guest finds in that sector, and then leaves there. */
const USER_DATA = `#!/bin/sh
echo "DISK-HOLDS [$(dd if=/dev/vda bs=512 skip=${MARK_SECTOR} count=1 2>/dev/null | tr -d '\\000')]"
printf '${LEFT}' | dd of=/dev/vda bs=512 seek=${MARK_SECTOR} conv=notrunc,sync,fsync 2>/dev/null && echo DISK-WRITTEN
`;

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

function mark(path: string, text: string, at = MARK_SECTOR * 512): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.from(text, 'latin1'), 0, text.length, at);
  closeSync(file);
}

describe.skipIf(missing !== undefined)(title, () => {
  let system: LabCloud;
  let client: ImageClient;
  let disk = '';
  let uploaded = '';

  const host = () => system.lab.host(0);
  const inState = (folder: string): string[] =>
    readdirSync(join(system.dir, 'state', folder), { recursive: true, encoding: 'utf8' }).toSorted();
  const onHost = async (digest: string): Promise<string> =>
    (await host().ok('sha256sum', `/var/lib/novactl-host/images/${digest}`)).split(' ')[0] ?? '';
  const received = async (): Promise<number> => {
    const said = await host().ok('ip', '-json', '-statistics', 'link', 'show', 'eth0');
    const [link] = JSON.parse(said) as { stats64: { rx: { bytes: number } } }[];
    return link?.stats64.rx.bytes ?? 0;
  };
  /** Boots it; answers the instance, which has found this on its disk. */
  const boots = async (imageId: string, holds: string): Promise<string> => {
    const [id = ''] = await client.run(imageId, 1, USER_DATA);
    const said = await client.hears(id, 'NOVACTL-READY');
    expect(said).toContain(`NOVACTL-META ${id}`);
    expect(said).toContain(`DISK-HOLDS [${holds}]`);
    expect(said).toContain('DISK-WRITTEN');
    return id;
  };

  beforeAll(async () => {
    const tiny = await tinyImage();
    if (typeof tiny === 'string') throw new Error(tiny);
    const [ec2 = 0, s3 = 0] = await freePorts(2);
    const env = {
      NOVACTL_EC2_LISTEN: `127.0.0.1:${ec2}`,
      NOVACTL_OBJECTSTORE_LISTEN: `127.0.0.1:${s3}`,
      NOVACTL_INSTANCES_STOP_TIMEOUT_MS: '1000',
    };
    system = await LabCloud.start('daemon', { hosts: 1, env });
    const urls = { ec2: `https://127.0.0.1:${ec2}`, s3: `https://127.0.0.1:${s3}` };
    client = await ImageClient.enrol(system, 'anna', urls);
    disk = client.path('disk.raw');
    makeBootDisk(disk, { ...tiny, sizeMib: DISK_MIB });
    await client.s3('mb', 's3://images');
  });
  afterAll(() => system.destroy());

  it('a disk that was uploaded boots, when the object is gone', { timeout: 2 * BOOT_MS }, async () => {
    mark(disk, 'uploaded');
    await client.s3('cp', '--only-show-errors', disk, 's3://images/disks/plain.raw');
    const imageId = await client.available(await client.register('plain', 'images/disks/plain.raw'));
    await client.s3('rm', '--only-show-errors', 's3://images/disks/plain.raw');
    uploaded = await boots(imageId, 'uploaded');
    expect(await onHost(sha256(disk))).toBe(sha256(disk));
  });

  it('CreateImage makes one of the running guest, with what it wrote', { timeout: 2 * BOOT_MS }, async () => {
    const made = await client.ec2<{ ImageId: string }>('create-image', '--instance-id', uploaded, '--name', 'captured');
    const imageId = await client.available(made.ImageId);
    expect(await client.states([uploaded])).toEqual({ running: 1 });
    await client.terminate([uploaded]);
    await client.terminate([await boots(imageId, LEFT)]);
  });

  it('a bundle boots, from its parts', { timeout: 2 * BOOT_MS }, async () => {
    const copy = client.path('bundled.raw');
    copyFileSync(disk, copy);
    mark(copy, 'bundled!');
    const folder = client.path('bundle');
    expect(client.bundle(copy, folder).length).toBeGreaterThan(3);
    await client.s3('cp', '--recursive', '--only-show-errors', folder, 's3://images/bundles/');
    const imageId = await client.available(await client.register('bundled', 'images/bundles/disk.manifest.xml'));
    await client.s3('rm', '--recursive', '--only-show-errors', 's3://images/bundles/');
    await client.terminate([await boots(imageId, 'bundled!')]);
    expect(await onHost(sha256(copy))).toBe(sha256(copy));
  });

  it(
    'a kernel and a ramdisk are bundles as well, and boot the disk whose bundle names them',
    { timeout: 2 * BOOT_MS },
    async () => {
      const tiny = await tinyImage();
      if (typeof tiny === 'string') throw new Error(tiny);
      const register = (name: string): Promise<string> =>
        client.register(name, `images/parts/${name}/disk.manifest.xml`);
      const upload = async (bundles: Readonly<Record<string, readonly [path: string, asked: BundleAsked]>>) => {
        for (const [name, [path, asked]] of Object.entries(bundles)) client.bundle(path, client.path(name), asked);
        const skipped = ['--exclude', '*', ...Object.keys(bundles).flatMap((name) => ['--include', `${name}/*`])];
        await client.s3('cp', '--recursive', '--only-show-errors', client.path(''), 's3://images/parts/', ...skipped);
      };
      await upload({
        kernel: [tiny.kernelPath, { kernel: 'true' }],
        ramdisk: [tiny.ramdiskPath, { ramdisk: 'true' }],
      });
      const kernel = await register('kernel');
      const ramdisk = await register('ramdisk');
      expect([kernel, ramdisk]).toEqual([expect.stringMatching(/^aki-/), expect.stringMatching(/^ari-/)]);
      for (const id of [kernel, ramdisk]) expect(await client.ended(id)).toMatchObject({ State: 'available' });
      // Nothing on it starts by itself.
      const bare = client.path('bare.raw');
      writeFileSync(bare, Buffer.alloc(MIB));
      mark(bare, '\x55\xaa', 510);
      mark(bare, 'no loader');
      await upload({ bare: [bare, { kernel, ramdisk }] });
      const imageId = await register('bare');
      expect(await client.ended(imageId)).toMatchObject({ State: 'available', KernelId: kernel, RamdiskId: ramdisk });
      await client.terminate([await boots(imageId, 'no loader')]);
      for (const path of [tiny.kernelPath, tiny.ramdiskPath]) expect(await onHost(sha256(path))).toBe(sha256(path));
      const refused = await client.aws('ec2', 'deregister-image', '--image-id', kernel);
      expect(refused.output).toMatch(/is in use by image bare/);
    },
  );

  it(`${MANY} instances of one new image make one download`, { timeout: 2 * BOOT_MS }, async () => {
    const still = client.path('still.raw');
    writeSpeakingImage(still, 'NOVACTL-STILL');
    writeFileSync(still, Buffer.concat([readFileSync(still), randomBytes(MANY_BYTES - MIB)]));
    await client.s3('cp', '--only-show-errors', still, 's3://images/still.raw');
    const imageId = await client.available(await client.register('still', 'images/still.raw'));
    const before = await received();
    const ids = await client.run(imageId, MANY);
    await client.all(ids, 'running');
    const came = (await received()) - before;
    expect(came).toBeGreaterThan(MANY_BYTES);
    // Orders and disks' seeds come beside it.
    expect(came).toBeLessThan(1.5 * MANY_BYTES);
    expect(new Set((await system.domains()).keys())).toEqual(new Set(ids));
    expect(await onHost(sha256(still))).toBe(sha256(still));
    await client.terminate(ids);
  });

  it('what was made to harm is refused with the reason, and leaves nothing', { timeout: BOOT_MS }, async () => {
    const kept = inState('blobs');
    const backed = client.path('backed.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-u', '-b', '/etc/shadow', '-F', 'raw', backed, '1M']);
    const flat = client.path('flat.vmdk');
    const extent = 'RW 2048 FLAT "/etc/shadow" 0';
    const head = ['# Disk DescriptorFile', 'version=1', 'CID=fffffffe', 'parentCID=ffffffff'];
    writeFileSync(flat, [...head, 'createType="monolithicFlat"', extent, ''].join('\n'));
    for (const [path, reason] of [
      [backed, /backing file/],
      [flat, /monolithicFlat/],
    ] as const) {
      await client.s3('cp', '--only-show-errors', path, 's3://images/bad');
      const image = await client.ended(await client.register('bad', 'images/bad'));
      expect([image.State, image.StateReason?.Message]).toEqual(['failed', expect.stringMatching(reason)]);
      await client.ec2('deregister-image', '--image-id', image.ImageId);
    }
    const folder = client.path('entities');
    const after = [['<manifest>', '<!DOCTYPE manifest [<!ENTITY x SYSTEM "file:///etc/shadow">]><manifest>']] as const;
    client.bundle(flat, folder, { after });
    await client.s3('cp', '--recursive', '--only-show-errors', folder, 's3://images/bad/');
    const asked = ['register-image', '--name', 'bad', '--image-location', 'images/bad/disk.manifest.xml'];
    const { code, output } = await client.aws('ec2', ...asked);
    expect(code).not.toBe(0);
    expect(output).toMatch(/\(InvalidManifest\).*DOCTYPE/s);
    expect(inState('imports')).toEqual([]);
    expect(inState('blobs')).toEqual(kept);
  });

  it('nothing is left on the host but what was fetched', async () => {
    expect(await exactChecks(system)).toEqual([]);
    expect(await host().ok('ls', '/var/lib/novactl-host/captures')).toBe('');
  });
});
