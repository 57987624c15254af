import { CloudError } from '../../../src/base/errors.ts';

/** Why it is no image that is taken; `accepted` when it is. Any other error is thrown on. */
export function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof CloudError && error.code === 'InvalidImage.Format') return error.message;
    throw error;
  }
  return 'accepted';
}

/** The header of a sound qcow2 v3 image of 16 MiB with 64 KiB clusters, at the head of a file of `SAMPLE_BYTES`. */
export const SAMPLE_BYTES = 262_144;

type Field = readonly [offset: number, width: 1 | 4 | 8];

export const FIELD = {
  magic: [0, 4],
  version: [4, 4],
  backingOffset: [8, 8],
  backingSize: [16, 4],
  clusterBits: [20, 4],
  size: [24, 8],
  crypt: [32, 4],
  l1Size: [36, 4],
  l1Offset: [40, 8],
  refcountOffset: [48, 8],
  refcountClusters: [56, 4],
  snapshots: [60, 4],
  snapshotsOffset: [64, 8],
  incompatible: [72, 8],
  compatible: [80, 8],
  autoclear: [88, 8],
  refcountOrder: [96, 4],
  headerLength: [100, 4],
  compression: [104, 1],
} as const satisfies Record<string, Field>;

export type Fields = Partial<Record<keyof typeof FIELD, number | bigint>>;

const SOUND: Fields = {
  magic: 0x514649fb,
  version: 3,
  clusterBits: 16,
  size: 16 * 1024 * 1024,
  l1Size: 1,
  l1Offset: 0x30000,
  refcountOffset: 0x10000,
  refcountClusters: 1,
  refcountOrder: 4,
  headerLength: 112,
};

/** The whole sample file; `extensions` follow the header as [type, body]. */
export function qcow2Sample(fields: Fields = {}, extensions: readonly (readonly [number, Uint8Array])[] = []): Buffer {
  const file = Buffer.alloc(SAMPLE_BYTES);
  const all = { ...SOUND, ...fields };
  for (const [name, value] of Object.entries(all)) {
    const [offset, width] = FIELD[name as keyof typeof FIELD];
    if (width === 8) file.writeBigUInt64BE(BigInt(value), offset);
    else file.writeUIntBE(Number(value), offset, width);
  }
  let at = Number(all.version === 2 ? 72 : all.headerLength);
  for (const [type, body] of extensions) {
    file.writeUInt32BE(type, at);
    file.writeUInt32BE(body.length, at + 4);
    file.set(body, at + 8);
    at += 8 + Math.ceil(body.length / 8) * 8;
  }
  if (all.version === 3 && all.refcountOffset === 0x10000) {
    // One refcount block that counts the four clusters of the header, the two tables and itself.
    file.writeBigUInt64BE(0x20000n, 0x10000);
    for (let cluster = 0; cluster < 4; cluster += 1) file.writeUInt16BE(1, 0x20000 + cluster * 2);
  }
  return file;
}

/** A file of `size` bytes with the given bytes at offsets. */
export function fileWith(size: number, ...parts: readonly (readonly [number, string | readonly number[]])[]): Buffer {
  const file = Buffer.alloc(size);
  for (const [at, bytes] of parts) file.set(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, at);
  return file;
}
