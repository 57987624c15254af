import type { ByteReader } from './byte-reader.ts';
import { badBundle, TAR_BLOCK, tarNumber } from './tar-header.ts';

/** Where the bytes in the archive belong in the file; what is between them is zeros. */
export interface SparsePiece {
  readonly at: number;
  readonly bytes: number;
}

export interface SparseMap {
  readonly pieces: readonly SparsePiece[];
  /** Of the file. */
  readonly realBytes: number;
  /** Of the archive that the map itself took, counted in the member's size. */
  readonly mapBytes: number;
}

/** More holes than any file system makes of a disk image; each is 16 bytes of memory here. */
const MAX_PIECES = 1_000_000;
const PIECE_BYTES = 24;
const IN_HEADER = { at: 386, count: 4, more: 482, realSize: 483 } as const;
const IN_BLOCK = { at: 0, count: 21, more: 504 } as const;

function piecesIn(block: Buffer, at: number, count: number): SparsePiece[] {
  const pieces: SparsePiece[] = [];
  for (let index = 0; index < count; index += 1) {
    const from = at + index * PIECE_BYTES;
    // Unused ones are empty.
    if (block[from] === 0 || block[from + 12] === 0) break;
    pieces.push({ at: tarNumber(block, from, 12), bytes: tarNumber(block, from + 12, 12) });
  }
  return pieces;
}

const tooMany = (): Error => badBundle(`the archive in it has a file of more than ${MAX_PIECES} pieces`);

/** GNU tar's own form (`tar -S`): four pieces in the header, the others in blocks behind it. */
export async function readGnuMap(header: Buffer, reader: ByteReader): Promise<SparseMap> {
  const pieces = piecesIn(header, IN_HEADER.at, IN_HEADER.count);
  let more = header[IN_HEADER.more] !== 0;
  while (more) {
    const block = await reader.take(TAR_BLOCK);
    pieces.push(...piecesIn(block, IN_BLOCK.at, IN_BLOCK.count));
    if (pieces.length > MAX_PIECES) throw tooMany();
    more = block[IN_BLOCK.more] !== 0;
  }
  return { pieces, realBytes: tarNumber(header, IN_HEADER.realSize, 12), mapBytes: 0 };
}

/** The form of pax, version 1.0: lines of numbers in front of the bytes, filled up to whole blocks. */
export async function readPaxMap(reader: ByteReader, realBytes: number): Promise<SparseMap> {
  let mapBytes = 0;
  let text = '';
  const numbers: number[] = [];
  for (let wanted = 1; numbers.length < wanted;) {
    const end = text.indexOf('\n');
    if (end < 0) {
      if (text.length > 20) throw badBundle('the map of its sparse file is damaged');
      text += (await reader.take(TAR_BLOCK)).toString('latin1');
      mapBytes += TAR_BLOCK;
      continue;
    }
    const line = text.slice(0, end);
    text = text.slice(end + 1);
    if (!/^\d{1,16}$/.test(line) || !Number.isSafeInteger(Number(line)))
      throw badBundle('the map of its sparse file is damaged');
    numbers.push(Number(line));
    if (numbers.length === 1) wanted = 1 + 2 * Number(line);
    if (wanted > 2 * MAX_PIECES) throw tooMany();
  }
  const pieces = Array.from({ length: (numbers.length - 1) / 2 }, (_, index) => ({
    at: numbers[1 + 2 * index] ?? 0,
    bytes: numbers[2 + 2 * index] ?? 0,
  }));
  return { pieces, realBytes, mapBytes };
}

/** They come one behind the other, within the file, and are all that the archive has of it. */
export function checkMap({ pieces, realBytes }: SparseMap, dataBytes: number): void {
  let end = 0;
  let sum = 0;
  for (const { at, bytes } of pieces) {
    if (at < end || at + bytes > realBytes)
      throw badBundle('the pieces of its sparse file overlap or lie outside of it');
    end = at + bytes;
    sum += bytes;
  }
  if (sum !== dataBytes) throw badBundle('the pieces of its sparse file are not as long as its data');
}
