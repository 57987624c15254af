import { closeSync, existsSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MIB } from '../../src/base/units.ts';
import { run, TestCloud, type CliResult } from '../support/test-cloud.ts';

/** An ordinary user that every Debian has. */
const USER = 'daemon';
const ROOT = join(import.meta.dirname, '..', '..');
/** Of the disk, and of what the file system has that it is converted on: as much as must be free, and too little more. */
const DISK_MIB = 320;
const ROOM_MIB = 272;

/**
 * The clone may be where the user can't go; another place for it is seen by this command alone. Then `prepare` (sh), and novactl as the user. Ends with 99 when something
 * is left of the work on images.
 */
const AS_USER = `mount --bind "$1" /mnt; imports=$2; eval "$3"; shift 3
status=0
setpriv --reuid="$0" --regid="$0" --clear-groups /mnt/bin/novactl "$@" || status=$?
left=$(find "$imports" -mindepth 1)
if [ -n "$left" ]; then echo "left: $left" >&2; exit 99; fi
exit "$status"`;

interface Image {
  readonly name: string;
  readonly state: string;
  readonly format: string;
  readonly notes?: readonly string[];
  readonly stateReason?: { readonly code: string; readonly message: string };
}

const missing =
  process.getuid?.() !== 0
    ? 'needs root, for a mount namespace and another user'
    : existsSync('/usr/bin/qemu-img')
      ? undefined
      : 'needs qemu-img (package qemu-utils)';

describe.skipIf(missing !== undefined)(
  `images that a user who is not root has converted [real]${missing === undefined ? '' : `: ${missing}`}`,
  { timeout: 120_000 },
  () => {
    let cloud: TestCloud;
    let disk: string;

    const imports = (): string => join(cloud.dir, 'state', 'imports');
    const novactl = (words: readonly string[], prepare = ':'): Promise<CliResult> => {
      const command = ['sh', '-ec', AS_USER, USER, ROOT, imports(), prepare, ...words];
      return run('unshare', ['-m', '--propagation', 'private', ...command], cloud.env);
    };
    const imageCalled = async (name: string): Promise<Image | undefined> => {
      const { code, stdout, stderr } = await novactl(['image', 'list', '--json']);
      expect(code, stderr).toBe(0);
      return (JSON.parse(stdout) as { images: Image[] }).images.find((image) => image.name === name);
    };
    const blobs = (): string[] => {
      const folder = join(cloud.dir, 'state', 'blobs');
      const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
      return names.filter((name) => statSync(join(folder, name)).isFile());
    };

    beforeAll(async () => {
      cloud = new TestCloud({ NOVACTL_METADATA_LISTEN: 'none' });
      // Packed it is small, and what it says is not.
      const raw = join(cloud.dir, 'disk.raw');
      const file = openSync(raw, 'w');
      for (let at = 0; at < DISK_MIB; at += 1) writeSync(file, Buffer.alloc(MIB, 0x41));
      writeSync(file, Buffer.from([0x55, 0xaa]), 0, 2, 510);
      closeSync(file);
      disk = join(cloud.dir, 'disk.vmdk');
      const packed = ['-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, disk];
      expect(await run('qemu-img', ['convert', '-f', 'raw', ...packed])).toMatchObject({ code: 0 });
      expect(statSync(disk).size).toBeLessThan(8 * MIB);
      rmSync(raw);
      mkdirSync(imports(), { recursive: true, mode: 0o700 });
      expect(await run('chown', ['-R', `${USER}:`, cloud.dir])).toMatchObject({ code: 0 });
    });
    afterAll(() => rmSync(cloud.dir, { recursive: true, force: true }));

    it('fail with the reason when the disk gets full meanwhile, and leave nothing', async () => {
      const small = `mount -t tmpfs -o size=${ROOM_MIB}m,mode=0700,uid="$(id -u "$0")" tmpfs "$imports"`;
      const full = await novactl(['image', 'import', disk, '--name', 'full'], small);
      expect([full.code, full.stdout]).toEqual([7, '']);
      expect(full.stderr).toMatch(
        /no space is left to build the image: delete images or give the controller more room/,
      );
      expect(await imageCalled('full')).toMatchObject({
        state: 'failed',
        stateReason: { code: 'Unavailable', message: expect.stringContaining('no space is left') as unknown },
      });
      expect(blobs()).toEqual([]);
    });

    it('are made once there is room, by a qemu-img that has limits alone', async () => {
      expect(await novactl(['image', 'delete', 'full', '--yes'])).toMatchObject({ code: 0 });
      const made = await novactl(['image', 'import', disk, '--name', 'full']);
      expect(made.code, made.stderr).toBe(0);
      const image = await imageCalled('full');
      expect(image).toMatchObject({ state: 'available', format: 'qcow2' });
      expect(image?.notes).toContain('converted from vmdk (streamOptimized)');
    });
  },
);
