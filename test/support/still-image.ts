import { writeFileSync } from 'node:fs';

/** cli; hlt; jmp back: the CPU sleeps for ever and costs nothing, and ACPI requests are ignored. */
const HALT = Buffer.from([0xfa, 0xf4, 0xeb, 0xfd]);

/** A bootable 512-byte disk whose guest halts at once with interrupts off. */
export function writeStillImage(path: string, mode = 0o644): void {
  const sector = Buffer.alloc(512);
  HALT.copy(sector);
  sector.writeUInt16LE(0xaa55, 510);
  writeFileSync(path, sector, { mode });
}

/**
 * The same, but it first writes a line to the first serial port: a guest that says something and still costs nothing. A mebibyte, since SeaBIOS finds no
 * cylinder to boot from on a disk of one sector.
 */
export function writeSpeakingImage(path: string, line: string): void {
  const letters = [...Buffer.from(`${line}\r\n`, 'latin1')];
  const code = Buffer.concat([
    Buffer.from([0xba, 0xf8, 0x03]), // mov dx, 0x3f8
    ...letters.map((letter) => Buffer.from([0xb0, letter, 0xee])), // mov al, letter; out dx, al
    HALT,
  ]);
  const signatureAt = 510;
  if (code.length > signatureAt) throw new Error(`${line.length} letters are too many for one sector`);
  const disk = Buffer.alloc(1024 * 1024);
  code.copy(disk);
  disk.writeUInt16LE(0xaa55, signatureAt);
  writeFileSync(path, disk, { mode: 0o644 });
}

/** A Multiboot kernel (version 1, address fields) that writes `STILL\n` to the first serial port and then halts. */
export function writeStillKernel(path: string, mode = 0o644): void {
  const MAGIC = 0x1badb002;
  const HAS_ADDRESSES = 0x10000;
  const LOAD_AT = 0x100000;
  const HEADER_BYTES = 32;
  const code = Buffer.concat([
    Buffer.from([0x66, 0xba, 0xf8, 0x03]), // mov dx, 0x3f8
    ...[...'STILL\n'].map((letter) => Buffer.from([0xb0, letter.charCodeAt(0), 0xee])), // mov al, letter; out dx, al
    HALT,
  ]);
  const image = Buffer.alloc(512);
  const end = LOAD_AT + image.length;
  const words = [
    MAGIC,
    HAS_ADDRESSES,
    -(MAGIC + HAS_ADDRESSES) >>> 0,
    LOAD_AT,
    LOAD_AT,
    end,
    end,
    LOAD_AT + HEADER_BYTES,
  ];
  words.forEach((word, index) => image.writeUInt32LE(word, index * 4));
  code.copy(image, HEADER_BYTES);
  writeFileSync(path, image, { mode });
}
