import { CloudError } from '../base/errors.ts';
import { KIB, MIB } from '../base/units.ts';

/** What matters of a qcow2 header (QEMU docs/interop/qcow2.rst), all of it checked. */
export interface Qcow2Facts {
  readonly version: 2 | 3;
  readonly virtualSizeBytes: number;
  readonly clusterBytes: number;
  readonly compression: 'zlib' | 'zstd';
}

/** The largest disk that we make: also what an MBR can address. */
export const MAX_VIRTUAL_BYTES = 2 * 1024 * 1024 * MIB;

const V2_HEADER_BYTES = 72;
const V3_HEADER_BYTES = 104;
/** QEMU's own limits: it opens nothing that is above them. */
const MAX_L1_BYTES = 32 * MIB;
const MAX_REFCOUNT_TABLE_BYTES = 8 * MIB;

const INCOMPATIBLE = { dirty: 1n, corrupt: 2n, externalData: 4n, compression: 8n, extendedL2: 16n };
const KNOWN_INCOMPATIBLE = Object.values(INCOMPATIBLE).reduce((all, bit) => all | bit, 0n);

const EXTENSION = { end: 0, encryption: 0x0537be77, externalData: 0x44415441 };
const REPACK = 'make it self-contained first: qemu-img convert -f qcow2 -O qcow2 IN OUT';

/** 'InvalidImage.Format' with the reason in the message. */
export function badImage(reason: string): CloudError {
  return new CloudError('InvalidImage.Format', reason);
}

function check(condition: boolean, reason: string): void {
  if (!condition) throw badImage(`the qcow2 image is refused: ${reason}`);
}

interface RawHeader {
  readonly view: DataView;
  readonly sizeBytes: number;
  readonly version: 2 | 3;
  readonly clusterBytes: number;
  readonly incompatible: bigint;
}

function fixedPart(head: Uint8Array, sizeBytes: number): RawHeader {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  check(head.length >= V2_HEADER_BYTES, 'its header is cut off');
  const version = view.getUint32(4);
  check(version !== 1, `version 1 is obsolete; ${REPACK}`);
  check(version === 2 || version === 3, `version ${version} is unknown`);
  check(version === 2 || head.length >= V3_HEADER_BYTES, 'its header is cut off');
  const clusterBits = view.getUint32(20);
  check(clusterBits >= 9 && clusterBits <= 21, `cluster_bits ${clusterBits} is not within 9 to 21`);
  const incompatible = version === 3 ? view.getBigUint64(72) : 0n;
  return { view, sizeBytes, version: version === 3 ? 3 : 2, clusterBytes: 2 ** clusterBits, incompatible };
}

/** Anything that makes QEMU open another file, or that needs a secret. */
function refuseOutsideReferences({ view, incompatible }: RawHeader): void {
  check(view.getBigUint64(8) === 0n && view.getUint32(16) === 0, `it has a backing file; ${REPACK}`);
  check((incompatible & INCOMPATIBLE.externalData) === 0n, `its data is in an external file; ${REPACK}`);
  check(view.getUint32(32) === 0, `it is encrypted; decrypt it with qemu-img convert first`);
}

function refuseBadFeatures({ view, incompatible, clusterBytes }: RawHeader): void {
  const repair = 'run qemu-img check -r all on it first';
  check((incompatible & INCOMPATIBLE.dirty) === 0n, `it was not closed cleanly; ${repair}`);
  check((incompatible & INCOMPATIBLE.corrupt) === 0n, `it is marked as corrupt; ${repair}`);
  const unknown = incompatible & ~KNOWN_INCOMPATIBLE;
  check(unknown === 0n, `it needs features that are unknown here (bits 0x${unknown.toString(16)})`);
  check(
    (incompatible & INCOMPATIBLE.extendedL2) === 0n || clusterBytes >= 16 * KIB,
    'extended L2 needs 16 KiB clusters',
  );
  check(view.getUint32(96) <= 6, `refcount_order ${view.getUint32(96)} is above 6`);
}

function compressionOf({ view, incompatible }: RawHeader, headerLength: number): 'zlib' | 'zstd' {
  const type = headerLength > V3_HEADER_BYTES ? view.getUint8(104) : 0;
  const flagged = (incompatible & INCOMPATIBLE.compression) !== 0n;
  check(type <= 1, `compression type ${type} is unknown`);
  check(flagged === (type !== 0), 'its compression type and feature bits contradict each other');
  return type === 1 ? 'zstd' : 'zlib';
}

/** The list of extensions after the header; it ends with a zero type or the first cluster. */
function refuseBadExtensions({ view, clusterBytes }: RawHeader, headerLength: number): void {
  const end = Math.min(clusterBytes, view.byteLength);
  let at = headerLength;
  while (at + 8 <= end) {
    const type = view.getUint32(at);
    const length = view.getUint32(at + 4);
    if (type === EXTENSION.end) return;
    check(type !== EXTENSION.encryption, 'it is encrypted; decrypt it with qemu-img convert first');
    check(type !== EXTENSION.externalData, `its data is in an external file; ${REPACK}`);
    at += 8 + Math.ceil(length / 8) * 8;
    check(at <= clusterBytes, 'a header extension reaches over the first cluster');
  }
  check(end === clusterBytes, `its header extensions do not end within ${end} bytes`);
}

/** Offset and length lie within the file and start at a cluster. */
function checkTable(header: RawHeader, name: string, offset: bigint, bytes: number): void {
  check(offset !== 0n && offset % BigInt(header.clusterBytes) === 0n, `its ${name} is not at the start of a cluster`);
  check(offset + BigInt(bytes) <= BigInt(header.sizeBytes), `its ${name} lies behind the end of the file (cut off?)`);
}

function checkTables(header: RawHeader, virtualSizeBytes: number): void {
  const { view, clusterBytes, incompatible } = header;
  const entryBytes = (incompatible & INCOMPATIBLE.extendedL2) === 0n ? 8 : 16;
  const bytesPerL1Entry = (clusterBytes / entryBytes) * clusterBytes;
  const l1Entries = view.getUint32(36);
  check(l1Entries * 8 <= MAX_L1_BYTES, `its L1 table of ${l1Entries} entries is too large`);
  check(l1Entries >= Math.ceil(virtualSizeBytes / bytesPerL1Entry), 'its L1 table is too small for its size');
  checkTable(header, 'L1 table', view.getBigUint64(40), l1Entries * 8);
  const refcountBytes = view.getUint32(56) * clusterBytes;
  check(refcountBytes > 0 && refcountBytes <= MAX_REFCOUNT_TABLE_BYTES, 'its refcount table has an impossible size');
  // Only the start: QEMU itself lets the last cluster of an image be short.
  checkTable(header, 'refcount table', view.getBigUint64(48), 8);
  const snapshots = view.getBigUint64(64);
  check(snapshots % BigInt(clusterBytes) === 0n && snapshots < 1n << 63n, 'its snapshot table has an impossible place');
  check(view.getUint32(60) === 0, `it carries internal snapshots; ${REPACK}`);
}

function virtualSize(view: DataView): number {
  const size = view.getBigUint64(24);
  check(size > 0n, 'its virtual size is 0');
  check(size <= BigInt(MAX_VIRTUAL_BYTES), 'its virtual size is above 2 TiB');
  check(size % 512n === 0n, 'its virtual size is not a multiple of 512');
  return Number(size);
}

/** @param head the first bytes of the file, at least 64 KiB of it if it is that long */
export function parseQcow2(head: Uint8Array, sizeBytes: number): Qcow2Facts {
  const header = fixedPart(head, sizeBytes);
  const { view, version, clusterBytes } = header;
  refuseOutsideReferences(header);
  let headerLength = V2_HEADER_BYTES;
  let compression: Qcow2Facts['compression'] = 'zlib';
  if (version === 3) {
    headerLength = view.getUint32(100);
    const sane = headerLength >= V3_HEADER_BYTES && headerLength % 8 === 0 && headerLength <= clusterBytes;
    check(sane, `its header length ${headerLength} is impossible`);
    check(headerLength <= head.length, 'its header is cut off');
    refuseBadFeatures(header);
    compression = compressionOf(header, headerLength);
  }
  refuseBadExtensions(header, headerLength);
  const virtualSizeBytes = virtualSize(view);
  checkTables(header, virtualSizeBytes);
  return { version, virtualSizeBytes, clusterBytes, compression };
}
