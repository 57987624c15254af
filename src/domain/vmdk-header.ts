import { badImage, MAX_VIRTUAL_BYTES } from './qcow2-header.ts';
import { parseVmdkDescriptor, refuseLoneDescriptor } from './vmdk-descriptor.ts';

/** What matters of a VMDK that is one file. */
export interface VmdkFacts {
  readonly createType: string;
  readonly virtualSizeBytes: number;
  /** Grains are compressed: how long one is, itself says. */
  readonly isCompressed: boolean;
  readonly grainBytes: number;
  /** Where the grain directory is: a place (in sectors, 32 bits) for each table. */
  readonly directoryAtBytes: number;
  /** Grains of a table: for each its place (in sectors, 32 bits); below MIN_GRAIN_SECTOR: none. */
  readonly tableEntries: number;
}

/** What is smaller is no place: 0 a grain that is not there, 1 one of zeros. */
export const MIN_GRAIN_SECTOR = 2;

/** How much of the end of the file parseVmdk wants to see: the footer of a stream and the marks around it. */
export const VMDK_TAIL_BYTES = 1536;

const SECTOR = 512;
const HEADER_BYTES = 79;
const MAGIC = 0x564d444b;
const SPARSE_MAGIC = 'KDMV';
const COWD_MAGIC = 'COWD';
const DESCRIPTOR_MAGIC = '# Disk DescriptorFile';
/** QEMU reads so many sectors of descriptor, whatever the header says. */
const DESCRIPTOR_SECTORS = 20;
const MAX_DESCRIPTOR_SECTORS = 64;
/** The grain directory is at the end: its place is in the footer. */
const AT_END = 0xffff_ffff_ffff_ffffn;
const FOOTER_MARK = 3;
/** Of 512 grains of 4 KiB each, as small as they come, the largest disk has so many. Each is read: more would keep whoever reads them busy for hours. */
const MAX_TABLES = 1_048_576;

function check(condition: boolean, reason: string): void {
  if (!condition) throw badImage(`the VMDK image is refused: ${reason}`);
}

const latin1 = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const startsWith = (head: Uint8Array, text: string): boolean => latin1(head.subarray(0, text.length)) === text;

/** A file that parseVmdk is to look at, whether it takes it or not. */
export function isVmdk(head: Uint8Array): boolean {
  return [SPARSE_MAGIC, COWD_MAGIC, DESCRIPTOR_MAGIC].some((magic) => startsWith(head, magic));
}

interface SparseHeader {
  readonly capacity: bigint;
  readonly grain: bigint;
  readonly descriptorAt: bigint;
  readonly descriptorSectors: bigint;
  readonly directoryAt: bigint;
  readonly tableEntries: number;
  readonly isCompressed: boolean;
}

function sparseHeader(bytes: Uint8Array, where: string): SparseHeader {
  check(bytes.length >= HEADER_BYTES, `its ${where} is cut off`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  check(view.getUint32(0, true) === MAGIC, `its ${where} is damaged`);
  const version = view.getUint32(4, true);
  check(version >= 1 && version <= 3, `version ${version} is unknown`);
  const capacity = view.getBigUint64(12, true);
  // QEMU takes a header without a capacity for a descriptor that may name other files.
  check(capacity > 0n, `its ${where} has no capacity`);
  check(capacity <= BigInt(MAX_VIRTUAL_BYTES / SECTOR), 'its virtual size is above 2 TiB');
  const grain = view.getBigUint64(20, true);
  check(
    grain >= 8n && grain <= 32768n && (grain & (grain - 1n)) === 0n,
    `its grains of ${grain} sectors are impossible`,
  );
  const entries = view.getUint32(44, true);
  check(entries >= 1 && entries <= 512, `its grain tables of ${entries} entries are impossible`);
  check(
    capacity <= grain * BigInt(entries) * BigInt(MAX_TABLES),
    `its disk is in more than ${MAX_TABLES} grain tables`,
  );
  const compression = view.getUint16(77, true);
  check(compression <= 1, `compression ${compression} is unknown`);
  return {
    capacity,
    grain,
    descriptorAt: view.getBigUint64(28, true),
    descriptorSectors: view.getBigUint64(36, true),
    directoryAt: view.getBigUint64(56, true),
    tableEntries: entries,
    isCompressed: compression === 1,
  };
}

/** The header at the end takes the place of the first one. */
function footerOf(first: SparseHeader, sizeBytes: number, tail: Uint8Array): SparseHeader {
  check(sizeBytes % SECTOR === 0 && tail.length >= VMDK_TAIL_BYTES, 'its footer is cut off');
  const end = tail.subarray(-VMDK_TAIL_BYTES);
  const view = new DataView(end.buffer, end.byteOffset, end.byteLength);
  const marks =
    view.getUint32(12, true) === FOOTER_MARK && end.subarray(2 * SECTOR, 2 * SECTOR + 16).every((b) => b === 0);
  check(marks, 'its footer is not at its end (cut off?)');
  const footer = sparseHeader(end.subarray(SECTOR), 'footer');
  check(
    footer.capacity === first.capacity && footer.grain === first.grain,
    'its header and its footer contradict each other',
  );
  check(footer.directoryAt !== AT_END, 'its footer does not say where its grain directory is');
  return footer;
}

function descriptorText(head: Uint8Array, header: SparseHeader): string {
  const { descriptorAt, descriptorSectors } = header;
  // Where QEMU reads it, whatever the header says.
  check(descriptorAt === 1n && descriptorSectors > 0n, 'its descriptor is not in the sector after its header');
  check(
    descriptorSectors <= BigInt(MAX_DESCRIPTOR_SECTORS),
    `its descriptor of ${descriptorSectors} sectors is too large`,
  );
  const sectors = Math.max(Number(descriptorSectors), DESCRIPTOR_SECTORS);
  const bytes = head.subarray(SECTOR, SECTOR * (1 + sectors));
  const end = bytes.indexOf(0);
  return latin1(end < 0 ? bytes : bytes.subarray(0, end));
}

/**
 * Looks at a file that isVmdk before anything else does: the sparse file that has all of its data in it, or 'InvalidImage.Format' with the reason and, where it names another file, its text.
 * @param head the first bytes of the file, 64 KiB of it if it is that long
 * @param tail its last VMDK_TAIL_BYTES
 */
export function parseVmdk(head: Uint8Array, sizeBytes: number, tail: Uint8Array): VmdkFacts {
  if (startsWith(head, DESCRIPTOR_MAGIC)) {
    const end = head.indexOf(0);
    return refuseLoneDescriptor(latin1(head.subarray(0, Math.min(end < 0 ? head.length : end, 16_384))));
  }
  check(!startsWith(head, COWD_MAGIC), 'it is an ESX COW extent; convert it first: qemu-img convert -O qcow2 IN OUT');
  const first = sparseHeader(head, 'header');
  const { createType, extent } = parseVmdkDescriptor(descriptorText(head, first));
  check(
    BigInt(extent.sectors) === first.capacity,
    `its extent has ${extent.sectors} sectors, its header ${first.capacity}`,
  );
  const last = first.directoryAt === AT_END ? footerOf(first, sizeBytes, tail) : first;
  const inFile = last.directoryAt > 0n && last.directoryAt < BigInt(Math.ceil(sizeBytes / SECTOR));
  check(inFile, 'its grain directory lies behind the end of the file (cut off?)');
  return {
    createType,
    virtualSizeBytes: Number(first.capacity) * SECTOR,
    isCompressed: last.isCompressed,
    grainBytes: Number(last.grain) * SECTOR,
    directoryAtBytes: Number(last.directoryAt) * SECTOR,
    tableEntries: last.tableEntries,
  };
}
