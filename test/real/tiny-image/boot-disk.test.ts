import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { IMAGE_HEAD_BYTES, inspectImage } from '../../../src/domain/image-format.ts';
import { makeBootDisk, whyNoBootDisk } from '../../support/boot-disk.ts';
import { startGuest, whyNoGuest } from '../../support/tiny-guest.ts';
import { tinyImage } from '../../support/tiny-image.ts';

describe('whole-disk image [real]', () => {
  it('boots by itself from an overlay that is larger than it', async (context) => {
    const image = await tinyImage();
    const reason = typeof image === 'string' ? image : (whyNoGuest() ?? whyNoBootDisk());
    if (typeof image === 'string' || reason !== undefined) {
      context.skip(reason);
      return;
    }
    const dir = mkdtempSync(join(tmpdir(), 'novactl-bootdisk-'));
    try {
      const base = join(dir, 'base.raw');
      makeBootDisk(base, image);
      const bytes = readFileSync(base);
      expect(inspectImage(bytes.subarray(0, IMAGE_HEAD_BYTES), bytes.length)).toMatchObject({
        format: 'raw',
        detail: 'MBR',
      });
      const disk = join(dir, 'disk.qcow2');
      execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', base, '-F', 'raw', disk, '128M']);
      const guest = await startGuest({ dir, disks: [{ path: disk, format: 'qcow2' }] });
      try {
        await guest.shows(/^NOVACTL-DISK vda 262144 -$/m);
        await guest.shows(/^NOVACTL-READY/m);
        await guest.pressPowerButton();
        await guest.ended(20_000);
      } finally {
        await guest.kill();
      }
    } finally {
      rmSync(dir, { recursive: true });
    }
  }, 300_000);
});
