import { KIB } from '../base/units.ts';
import { badImage, MAX_VIRTUAL_BYTES, parseQcow2 } from './qcow2-header.ts';

/** How much of the start of a file inspectImage wants to see. */
export const IMAGE_HEAD_BYTES = 64 * KIB;
/** How much of its end. */
export const IMAGE_TAIL_BYTES = 512;

export type ImageKind = 'machine' | 'kernel' | 'ramdisk';
export type ImageFormat = 'qcow2' | 'raw' | 'kernel' | 'ramdisk';

/** What an image file is. It is then always used under this explicit format: a guest can write any header into a raw disk. */
export interface ImageFacts {
  readonly format: ImageFormat;
  /** Of the disk; for kernel and ramdisk the size of the file. */
  readonly virtualSizeBytes: number;
  /** For people: `qcow2 v3, zstd`, `bzImage 2.15`, `gzip`, `MBR`, … */
  readonly detail: string;
  /** Of a kernel, where its header tells. */
  readonly architecture?: 'x86_64' | 'arm64';
  /** What the owner should know, although it is accepted. */
  readonly notes: readonly string[];
}

/** The bytes as a string of one character a byte, or hex pairs for what is no text. */
interface Signature {
  readonly at: number;
  readonly bytes: readonly number[];
  readonly name: string;
  readonly advice?: string;
}

const text = (value: string): number[] => [...value].map((character) => character.charCodeAt(0));
const signature = (name: string, bytes: readonly number[], at = 0, advice?: string): Signature => ({
  name,
  bytes,
  at,
  ...(advice === undefined ? {} : { advice }),
});

const CONVERT = 'convert it first: qemu-img convert -O qcow2 IN OUT';
const UNPACK = 'unpack it first and give the disk image in it';

const FOREIGN: readonly Signature[] = [
  signature('a VMDK disk (sparse extent)', text('KDMV'), 0, CONVERT),
  signature('a VMDK disk (COW extent)', text('COWD'), 0, CONVERT),
  signature('a VMDK descriptor', text('# Disk DescriptorFile'), 0, CONVERT),
  signature('a VDI disk', [0x7f, 0x10, 0xda, 0xbe], 0x40, CONVERT),
  signature('a VHDX disk', text('vhdxfile'), 0, CONVERT),
  signature('a VHD disk', text('conectix'), 0, CONVERT),
  signature('a QED disk', text('QED\0'), 0, CONVERT),
  signature('a Parallels disk', text('WithoutFreeSpace'), 0, CONVERT),
  signature('a Parallels disk', text('WithouFreSpacExt'), 0, CONVERT),
  signature('a Bochs disk', text('Bochs Virtual HD Image'), 0, CONVERT),
  signature('an Android sparse image', [0x3a, 0xff, 0x26, 0xed], 0, 'convert it first with simg2img'),
  signature(
    'a LUKS container',
    [...text('LUKS'), 0xba, 0xbe],
    0,
    'an encrypted disk cannot be an image; decrypt it first',
  ),
  signature('a ZIP archive', [...text('PK'), 3, 4], 0, UNPACK),
  signature('a 7z archive', [...text('7z'), 0xbc, 0xaf, 0x27, 0x1c], 0, UNPACK),
  signature('a tar archive (an OVA is one)', text('ustar'), 257, `${UNPACK}; then ${CONVERT}`),
  signature('an ELF program', [0x7f, ...text('ELF')], 0, 'a kernel is needed as its bzImage or Image'),
  signature('an HTML page', text('<!DOCTYPE html'), 0, 'the download was answered by a web page; check the URL'),
  signature('an HTML page', text('<!doctype html'), 0, 'the download was answered by a web page; check the URL'),
  signature('an HTML page', text('<html'), 0, 'the download was answered by a web page; check the URL'),
];

/** What the Linux kernel unpacks as an initramfs (usr/Kconfig). */
const RAMDISK: readonly Signature[] = [
  signature('gzip', [0x1f, 0x8b]),
  signature('cpio', text('070701')),
  signature('cpio', text('070702')),
  signature('xz', [0xfd, ...text('7zXZ'), 0]),
  signature('zstd', [0x28, 0xb5, 0x2f, 0xfd]),
  signature('bzip2', text('BZh')),
  signature('lz4', [0x02, 0x21, 0x4c, 0x18]),
  signature('lzop', [0x89, ...text('LZO')]),
  signature('lzma', [0x5d, 0, 0]),
];

const QCOW2 = signature('qcow2', [...text('QFI'), 0xfb]);
const BOOT_FLAG = signature('MBR', [0x55, 0xaa], 510);
const DISK_MARKS: readonly Signature[] = [
  signature('GPT', text('EFI PART'), 512),
  signature('GPT of 4 KiB sectors', text('EFI PART'), 4096),
  signature('ISO 9660', text('CD001'), 0x8001),
  BOOT_FLAG,
];
const BZIMAGE = signature('bzImage', text('HdrS'), 0x202);
const ARM64 = signature('arm64 Image', text('ARM\x64'), 56);
const ZBOOT = signature('EFI zboot', text('zimg'), 4);
/** initrd_addr_max and cmd_line_ptr came with it: older ones cannot be booted with a ramdisk and a command line. */
const OLDEST_BOOT_PROTOCOL = 0x0203;

function matches(head: Uint8Array, { at, bytes }: Signature): boolean {
  return bytes.every((byte, index) => head[at + index] === byte);
}

function refuseForeign(head: Uint8Array, tail: Uint8Array | undefined): void {
  const found = FOREIGN.find((one) => matches(head, one));
  if (found !== undefined) throw badImage(`the image is ${found.name}: ${found.advice ?? CONVERT}`);
  // A VHD of fixed size is a raw disk with a footer.
  const footer = tail?.subarray(-512);
  if (footer !== undefined && matches(footer, signature('VHD', text('conectix')))) {
    throw badImage(`the image is a VHD disk of fixed size: ${CONVERT}`);
  }
}

function kernelFacts(head: Uint8Array, sizeBytes: number): ImageFacts | undefined {
  const base = { format: 'kernel', virtualSizeBytes: sizeBytes, notes: [] } as const;
  if (matches(head, BZIMAGE) && matches(head, BOOT_FLAG)) {
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    if (head.length < 0x268) throw badImage('the kernel is cut off within its setup header');
    const protocol = view.getUint16(0x206, true);
    const version = `${protocol >> 8}.${protocol & 0xff}`;
    if (protocol < OLDEST_BOOT_PROTOCOL) throw badImage(`the kernel's boot protocol ${version} is older than 2.03`);
    const is64 = protocol >= 0x020c && (view.getUint16(0x236, true) & 1) === 1;
    return { ...base, detail: `bzImage ${version}`, ...(is64 ? { architecture: 'x86_64' } : {}) };
  }
  if (matches(head, ARM64)) return { ...base, detail: ARM64.name, architecture: 'arm64' };
  if (matches(head, signature('MZ', text('MZ'))) && matches(head, ZBOOT)) return { ...base, detail: ZBOOT.name };
  return undefined;
}

function rawFacts(head: Uint8Array, sizeBytes: number): ImageFacts {
  if (sizeBytes % 512 !== 0) {
    throw badImage(
      `the image is no known format, and its ${sizeBytes} bytes are no whole sectors of a raw disk (cut off?)`,
    );
  }
  if (sizeBytes > MAX_VIRTUAL_BYTES) throw badImage('the raw image is larger than 2 TiB');
  const mark = DISK_MARKS.find((one) => matches(head, one));
  const notes = mark === undefined ? ['no partition table or boot sector: it boots only with a kernel image'] : [];
  return { format: 'raw', virtualSizeBytes: sizeBytes, detail: mark?.name ?? 'raw', notes };
}

/**
 * Says what an uploaded file is, from its first IMAGE_HEAD_BYTES (all of it when shorter), its size and its last IMAGE_TAIL_BYTES.
 * CloudError 'InvalidImage.Format' with the reason and what to do, for anything that would make a host open another file, need a
 * secret, or that QEMU would not open.
 */
export function inspectImage(head: Uint8Array, sizeBytes: number, tail?: Uint8Array): ImageFacts {
  if (sizeBytes === 0) throw badImage('the image is empty');
  if (head.length < Math.min(sizeBytes, IMAGE_HEAD_BYTES))
    throw badImage('the image is shorter than its announced size');
  if (matches(head, QCOW2)) {
    const { version, virtualSizeBytes, compression } = parseQcow2(head, sizeBytes);
    return { format: 'qcow2', virtualSizeBytes, detail: `qcow2 v${version}, ${compression}`, notes: [] };
  }
  refuseForeign(head, tail);
  const kernel = kernelFacts(head, sizeBytes);
  if (kernel !== undefined) return kernel;
  const ramdisk = RAMDISK.find((one) => matches(head, one));
  if (ramdisk !== undefined) {
    return { format: 'ramdisk', virtualSizeBytes: sizeBytes, detail: ramdisk.name, notes: [] };
  }
  return rawFacts(head, sizeBytes);
}

const KIND_FORMATS: Readonly<Record<ImageKind, readonly ImageFormat[]>> = {
  machine: ['qcow2', 'raw'],
  kernel: ['kernel'],
  ramdisk: ['ramdisk'],
};

/** CloudError 'InvalidImage.Format' when the file is not what its owner says it is. */
export function requireImageKind(facts: ImageFacts, kind: ImageKind): void {
  if (KIND_FORMATS[kind].includes(facts.format)) return;
  const packed = kind === 'machine' && facts.format === 'ramdisk';
  const advice = packed
    ? 'a compressed disk must be unpacked first; a ramdisk is imported with --kind ramdisk'
    : `import it as what it is, or give a ${kind === 'machine' ? 'qcow2 or raw disk' : kind}`;
  throw badImage(`the image is a ${facts.format} (${facts.detail}) and not a ${kind}: ${advice}`);
}
