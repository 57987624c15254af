import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  openSync,
  closeSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SECTOR = 512;
const PARTITION_START = 2048;
const MBR_CODE = '/usr/lib/syslinux/mbr/mbr.bin';
const FAT16_LBA = 0x0e;

/** Why no bootable disk can be made here; undefined when it can. */
export function whyNoBootDisk(): string | undefined {
  if (process.arch !== 'x64') return 'syslinux boots x86 machines only';
  const missing = ['syslinux', 'mcopy', 'mformat'].filter(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
  );
  if (missing.length === 0 && existsSync(MBR_CODE)) return undefined;
  return 'packages are missing: apt-get install --no-install-recommends syslinux syslinux-common mtools';
}

/** Boot code, one active partition, boot signature. */
function masterBootRecord(partitionSectors: number): Buffer {
  const sector = Buffer.alloc(SECTOR);
  sector.set(readFileSync(MBR_CODE).subarray(0, 440));
  const entry = 446;
  sector.writeUInt8(0x80, entry);
  sector.set([0xfe, 0xff, 0xff], entry + 1);
  sector.writeUInt8(FAT16_LBA, entry + 4);
  sector.set([0xfe, 0xff, 0xff], entry + 5);
  sector.writeUInt32LE(PARTITION_START, entry + 8);
  sector.writeUInt32LE(partitionSectors, entry + 12);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/**
 * A raw whole-disk image that a BIOS boots without being given a kernel: MBR, a FAT16 partition, syslinux, and the given kernel and
 * ramdisk. Made without root, mounts or loop devices.
 */
export function makeBootDisk(
  path: string,
  parts: { kernelPath: string; ramdiskPath: string; kernelArgs: string; sizeMib?: number },
): void {
  const { sizeMib = 40 } = parts;
  const sectors = (sizeMib * 1024 * 1024) / SECTOR - PARTITION_START;
  const work = mkdtempSync(join(tmpdir(), 'novactl-bootdisk-'));
  const partition = `${path}@@${PARTITION_START * SECTOR}`;
  const run = (argv: readonly string[]): void => {
    const [name = '', ...args] = argv;
    execFileSync(name, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, MTOOLS_SKIP_CHECK: '1' } });
  };
  try {
    const config = join(work, 'syslinux.cfg');
    writeFileSync(
      config,
      `DEFAULT tiny\nPROMPT 0\nLABEL tiny\n LINUX vmlinuz\n INITRD initrd.gz\n APPEND ${parts.kernelArgs}\n`,
    );
    writeFileSync(path, '');
    truncateSync(path, sizeMib * 1024 * 1024);
    const file = openSync(path, 'r+');
    writeSync(file, masterBootRecord(sectors), 0, SECTOR, 0);
    closeSync(file);
    // -H: the boot code needs to know what lies before its partition.
    run([
      'mformat',
      '-i',
      partition,
      '-T',
      String(sectors),
      '-H',
      String(PARTITION_START),
      '-h',
      '255',
      '-s',
      '63',
      '-N',
      '74696e79',
      '::',
    ]);
    run(['mcopy', '-i', partition, parts.kernelPath, '::vmlinuz']);
    run(['mcopy', '-i', partition, parts.ramdiskPath, '::initrd.gz']);
    run(['mcopy', '-i', partition, config, '::syslinux.cfg']);
    run(['syslinux', '--install', '--offset', String(PARTITION_START * SECTOR), path]);
  } finally {
    rmSync(work, { recursive: true });
  }
}
