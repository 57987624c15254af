import { badImage } from '../../../domain/qcow2-header.ts';
import { quoteForeign } from '../../../domain/vmdk-descriptor.ts';

export const TAR_BLOCK = 512;

/** One header of a tar archive (POSIX.1-2008 pax, "ustar"; GNU tar's own). */
export interface TarHeader {
  /** One character: '0' a file, 'S' a sparse one, 'x' what a pax header says of the next one, … */
  readonly type: string;
  readonly name: string;
  /** Bytes that follow. */
  readonly size: number;
  readonly block: Buffer;
}

export const badBundle = (reason: string): Error => badImage(`the bundle is refused: ${reason}`);

/** What is in an archive beside files, by its type. */
const OTHERS: Readonly<Record<string, string>> = {
  '1': 'a hard link',
  '2': 'a symbolic link',
  '3': 'a device',
  '4': 'a device',
  '5': 'a folder',
  '6': 'a named pipe',
  g: 'a header for all files',
  K: 'a long name of a link',
  M: 'a file of several volumes',
  V: 'a volume label',
  D: 'a folder',
};

export const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

const textAt = (block: Buffer, at: number, length: number): string => {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.subarray(0, end < 0 ? length : end).toString('utf8');
};

/** Octal digits, or GNU's big-endian bytes behind a first one of 0x80. */
export function tarNumber(block: Buffer, at: number, length: number): number {
  const field = block.subarray(at, at + length);
  const digits = /^ *([0-7]+)[ \0]*$/.exec(field.toString('latin1'))?.[1];
  let value = digits === undefined ? Number.NaN : Number.parseInt(digits, 8);
  if (field[0] === 0x80) value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
  if (Number.isSafeInteger(value)) return value;
  throw badBundle('a number in the archive in it is damaged');
}

function checkSum(block: Buffer): void {
  const sum = block.reduce((all, byte, at) => all + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (sum !== tarNumber(block, 148, 8)) throw badBundle('a header of the archive in it is damaged');
}

/** @param block 512 bytes, not all of them zero */
export function parseTarHeader(block: Buffer): TarHeader {
  checkSum(block);
  const magic = block.subarray(257, 263).toString('latin1');
  const prefix = magic === 'ustar\0' ? textAt(block, 345, 155) : '';
  const name = textAt(block, 0, 100);
  const typeByte = block.toString('latin1', 156, 157);
  return {
    type: typeByte === '\0' || typeByte === '7' ? '0' : typeByte,
    name: prefix === '' ? name : `${prefix}/${name}`,
    size: tarNumber(block, 124, 12),
    block,
  };
}

export function refuseOthers({ type, name, block }: TarHeader): void {
  const what = OTHERS[type] ?? `something unknown (type ${quoteForeign(type)})`;
  const target = ['1', '2'].includes(type) ? ` to ${quoteForeign(textAt(block, 157, 100))}` : '';
  throw badBundle(`the archive in it holds ${what}${target}, ${quoteForeign(name)}: exactly one file is allowed`);
}

/** It is not used for anything; an archive that has another is made to harm whoever unpacks it. */
export function requirePlainName(name: string): void {
  const plain = name.replace(/^\.\//, '');
  const parts = plain.split('/');
  if (plain !== '' && !plain.includes('\0') && parts.every((part) => part !== '' && part !== '.' && part !== '..'))
    return;
  throw badBundle(`the archive in it holds a file whose name leads elsewhere: ${quoteForeign(name)}`);
}
