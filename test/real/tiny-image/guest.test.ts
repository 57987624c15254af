import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { inspectImage, IMAGE_HEAD_BYTES } from '../../../src/domain/image-format.ts';
import type { TinyImage } from '../../../src/launch/tiny-image/build-tiny.ts';
import { startMetadataService, type MetadataService } from '../../support/metadata-service.ts';
import { startGuest, whyNoGuest, type Guest, type GuestOptions } from '../../support/tiny-guest.ts';
import { tinyImage } from '../../support/tiny-image.ts';

const USER_DATA = '#!/bin/bash\necho "user data says $(hostname)"\necho kept >> /state/mine\nexit 3\n';
const INSTANCE = {
  'meta-data/instance-id': 'i-0123456789abcdef0',
  'meta-data/hostname': 'ip-10-200-0-5.nova.internal',
  'meta-data/instance-type': 'm1.nano',
  'meta-data/public-keys/': '0=mykey',
  'user-data': USER_DATA,
};

const haveSsh = spawnSync('ssh', ['-V']).status === 0;

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('tiny image [real]', () => {
  let built: TinyImage | string;
  let root: string;
  let boots = 0;
  const guests: Guest[] = [];
  const services: MetadataService[] = [];

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), 'novactl-tiny-'));
    built = await tinyImage();
  }, 300_000);
  afterAll(() => rmSync(root, { recursive: true }));
  afterEach(async () => {
    await Promise.all([
      ...guests.splice(0).map((guest) => guest.kill()),
      ...services.splice(0).map((service) => service.close()),
    ]);
  });
  beforeEach((context) => {
    const reason = typeof built === 'string' ? built : whyNoGuest();
    if (reason !== undefined) context.skip(reason);
  });

  const image = (): TinyImage => {
    if (typeof built === 'string') throw new Error(built);
    return built;
  };
  const boot = async (options: Omit<GuestOptions, 'dir'>, append = ''): Promise<Guest> => {
    const dir = join(root, `boot${(boots += 1)}`);
    mkdirSync(dir);
    const kernelArgs = `${image().kernelArgs} ${append}`;
    const guest = await startGuest({ dir, kernel: { ...image(), kernelArgs }, ...options });
    guests.push(guest);
    return guest;
  };
  const metadata = async (answers: Record<string, string>, version: 1 | 2): Promise<MetadataService> => {
    const service = await startMetadataService(answers, version);
    services.push(service);
    return service;
  };
  const inspect = (path: string): ReturnType<typeof inspectImage> => {
    const body = readFileSync(path);
    return inspectImage(body.subarray(0, IMAGE_HEAD_BYTES), body.length, body.subarray(-512));
  };

  it('is what the image store accepts', () => {
    expect(inspect(image().kernelPath)).toMatchObject({ format: 'kernel', architecture: image().architecture });
    expect(inspect(image().ramdiskPath)).toMatchObject({ format: 'ramdisk', detail: 'gzip' });
    expect(inspect(image().rootDiskPath)).toMatchObject({ format: 'qcow2', virtualSizeBytes: 16 * 1024 * 1024 });
    expect(statSync(image().ramdiskPath).size).toBeLessThan(6 * 1024 * 1024);
  });

  it('boots in 128 MiB, tells who it is, takes ssh, keeps its key, runs user data once, obeys the button', async (context) => {
    if (!haveSsh) context.skip('no ssh client is installed');
    const key = newKey(root);
    const service = await metadata({ ...INSTANCE, 'meta-data/public-keys/0/openssh-key': key.publicKey }, 2);
    const disk = join(root, 'disk.qcow2');
    copyFileSync(image().rootDiskPath, disk);
    const sshPort = await freePort();
    const options = { disks: [{ path: disk, format: 'qcow2' }], net: { metadataPort: service.port, sshPort } } as const;
    const guest = await boot({ ...options, memoryMib: 128 });
    await guest.shows(/^NOVACTL-READY \d+\.\d+$/m);
    const first = markers(guest.console());
    expect(first.map(([name]) => name).join(' ')).toBe(
      'INIT DISK NET META-FROM META HOSTKEY FINGERPRINT USERDATA-BEGIN USERDATA-END READY',
    );
    const told = Object.fromEntries(first);
    expect(told['INIT']).toContain(image().kernelVersion);
    expect(told).toMatchObject({
      DISK: 'vda 32768 -',
      NET: '169.254.169.15/24 gw 169.254.169.2',
      'META-FROM': 'service',
      META: 'i-0123456789abcdef0 ip-10-200-0-5.nova.internal m1.nano',
      'USERDATA-END': '3',
    });
    expect(guest.console()).toContain('\nuser data says ip-10-200-0-5\n');
    expect(service.requests[0]?.line).toBe('PUT /latest/api/token');
    expect(service.requests.slice(1).every((request) => request.token === 'a-token==')).toBe(true);

    // The key on the console is the key of the server: ssh accepts no other.
    const hostKey = told['HOSTKEY'] ?? '';
    const ssh = sshTo(root, sshPort, hostKey, key.path);
    expect(await ssh('hostname; cat /state/mine; metadata meta-data/instance-type')).toBe(
      'ip-10-200-0-5\nkept\nm1.nano',
    );
    await expect(ssh('exit 7')).rejects.toMatchObject({ code: 7 });

    await ssh('reboot');
    await guest.shows(/NOVACTL-SHUTDOWN\n[^]*NOVACTL-READY/);
    const second = Object.fromEntries(markers(guest.console().split('NOVACTL-SHUTDOWN')[1] ?? ''));
    expect(second['HOSTKEY']).toBe(hostKey);
    expect(second['USERDATA-IGNORED']).toContain('first boot');
    expect(await ssh('cat /state/mine')).toBe('kept\n');

    await guest.pressPowerButton();
    expect(await guest.ended(20_000)).toBeLessThan(3000);
    expect(guest.console().match(/^NOVACTL-SHUTDOWN$/gm)).toHaveLength(2);
  }, 180_000);

  it('does with a metadata service of the first version, that answers late; without disk; ends by poweroff', async (context) => {
    if (!haveSsh) context.skip('no ssh client is installed');
    const key = newKey(root);
    const answers: Record<string, string> = {};
    const service = await metadata(answers, 1);
    const sshPort = await freePort();
    const guest = await boot({ net: { metadataPort: service.port, sshPort } });
    await guest.shows(/^NOVACTL-META-NONE[^]*^NOVACTL-READY/m);
    Object.assign(answers, INSTANCE, { 'meta-data/public-keys/0/openssh-key': key.publicKey });
    await guest.shows(/^NOVACTL-USERDATA-END 3$/m);
    const told = Object.fromEntries(markers(guest.console()));
    expect(told['META']).toBe('i-0123456789abcdef0 ip-10-200-0-5.nova.internal m1.nano');
    const ssh = sshTo(root, sshPort, told['HOSTKEY'] ?? '', key.path);
    expect(await ssh('metadata user-data')).toBe(USER_DATA);
    await ssh('poweroff');
    await guest.ended(20_000);
    expect(guest.console()).toContain('\nNOVACTL-SHUTDOWN\n');
  }, 120_000);

  it('goes on asking for an address, and obeys the button meanwhile', async () => {
    const guest = await boot({ net: 'dead' });
    await guest.shows(/NOVACTL-NET-WAIT.* 1s\n[^]*NOVACTL-NET-WAIT.* 2s\n/);
    expect(guest.console()).not.toContain('NOVACTL-READY');
    await guest.pressPowerButton();
    expect(await guest.ended(20_000)).toBeLessThan(3000);
  }, 120_000);

  it('is ready without network or disk in 96 MiB, with a shell on the console that comes again', async () => {
    const guest = await boot({ memoryMib: 96 });
    await guest.shows(/^NOVACTL-READY/m);
    await guest.shows(/# /);
    guest.type('echo first-$((40 + 2))\nexit\n');
    await guest.shows(/\nfirst-42\n[^]*# /);
    await guest.shows(/exit\n[^]*# /);
    guest.type('echo second-$((40 + 2)); cat /proc/modules\n');
    await guest.shows(/\nsecond-42\n/);
    for (const module of ['virtio_blk', 'virtio_net', 'virtio_scsi', 'sd_mod', 'virtio_rng', 'button']) {
      await guest.shows(new RegExp(`^${module} `, 'm'));
    }
    guest.type('poweroff\n');
    await guest.ended(20_000);
  }, 120_000);
});

/** [name, rest] of each line that begins with NOVACTL-. */
function markers(console: string): [string, string][] {
  return [...console.matchAll(/^NOVACTL-(\S+) ?(.*)$/gm)].map((match) => [match[1] ?? '', match[2] ?? '']);
}

function newKey(root: string): { path: string; publicKey: string } {
  const path = join(mkdtempSync(join(root, 'key')), 'id');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path]);
  return { path, publicKey: readFileSync(`${path}.pub`, 'utf8') };
}

function sshTo(root: string, port: number, hostKey: string, keyPath: string): (command: string) => Promise<string> {
  const knownHosts = join(root, `known${port}`);
  writeFileSync(knownHosts, `[127.0.0.1]:${port} ${hostKey}\n`);
  const options = ['StrictHostKeyChecking=yes', `UserKnownHostsFile=${knownHosts}`, 'BatchMode=yes', 'LogLevel=ERROR'];
  const args = ['-F', 'none', '-i', keyPath, '-p', String(port), ...options.flatMap((option) => ['-o', option])];
  return async (command) => {
    const { stdout } = await promisify(execFile)('ssh', [...args, 'root@127.0.0.1', command], { timeout: 30_000 });
    return stdout;
  };
}
