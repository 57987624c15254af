/** A sparse VMDK of one file, as VMware and QEMU write its beginning: 16 MiB, nothing in it. */
export const VMDK_SECTORS = 32_768;
export const VMDK_BYTES = 131_072;

export const SOUND_DESCRIPTOR = [
  '# Disk DescriptorFile',
  'version=1',
  'CID=339dedd2',
  'parentCID=ffffffff',
  'createType="monolithicSparse"',
  '',
  '# Extent description',
  `RW ${VMDK_SECTORS} SPARSE "disk.vmdk"`,
  '',
  '#DDB',
  'ddb.adapterType = "ide"',
  '',
].join('\n');

export const VMDK_FIELD = {
  magic: [0, 4],
  version: [4, 4],
  flags: [8, 4],
  capacity: [12, 8],
  grain: [20, 8],
  descriptorAt: [28, 8],
  descriptorSectors: [36, 8],
  tableEntries: [44, 4],
  secondDirectory: [48, 8],
  directory: [56, 8],
  overhead: [64, 8],
  unclean: [72, 1],
  compression: [77, 2],
} as const satisfies Record<string, readonly [offset: number, width: 1 | 2 | 4 | 8]>;

export type VmdkFields = Partial<Record<keyof typeof VMDK_FIELD, number | bigint>>;

const SOUND: VmdkFields = {
  magic: 0x564d444b,
  version: 1,
  flags: 3,
  capacity: VMDK_SECTORS,
  grain: 128,
  descriptorAt: 1,
  descriptorSectors: 20,
  tableEntries: 512,
  secondDirectory: 21,
  directory: 26,
  overhead: 128,
};

export function putVmdkField(file: Buffer, name: keyof typeof VMDK_FIELD, value: number | bigint, at = 0): void {
  const [offset, width] = VMDK_FIELD[name];
  if (width === 8) file.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)), at + offset);
  else file.writeUIntLE(Number(BigInt.asUintN(width * 8, BigInt(value))), at + offset, width);
}

function putHeader(file: Buffer, fields: VmdkFields, at = 0): void {
  for (const [name, value] of Object.entries({ ...SOUND, ...fields }))
    putVmdkField(file, name as keyof typeof VMDK_FIELD, value, at);
}

/** The grain directories name one table, in which no grain is there. */
export function vmdkSample(fields: VmdkFields = {}, descriptor = SOUND_DESCRIPTOR): Buffer {
  const file = Buffer.alloc(VMDK_BYTES);
  putHeader(file, fields);
  file.write(descriptor, 512, 'latin1');
  file.writeUInt32LE(22, 21 * 512);
  file.writeUInt32LE(27, 26 * 512);
  return file;
}

/** The same as a stream whose grain directory is named by a footer. */
export function streamSample(fields: VmdkFields = {}, footer: VmdkFields = {}): Buffer {
  const descriptor = SOUND_DESCRIPTOR.replace('monolithicSparse', 'streamOptimized');
  const file = vmdkSample(
    { version: 3, flags: 0x30001, compression: 1, directory: (1n << 64n) - 1n, ...fields },
    descriptor,
  );
  const at = VMDK_BYTES - 1536;
  file.writeUInt32LE(3, at + 12);
  putHeader(file, { version: 3, flags: 0x30001, compression: 1, ...footer }, at + 512);
  return file;
}
