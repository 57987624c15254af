/**
 * A WebAssembly function of 64-bit integers, which JavaScript lacks: a CRC eight bytes at a step, two to three times as fast as in halves of 32 bits.
 * Written here as its instructions, so that there is no binary to trust.
 */
export interface CrcMachine {
  readonly memory: { readonly buffer: ArrayBuffer };
  /** The CRC (before its final inversion) after the bytes from `at` to `end`; `table` is where its 8 x 256 entries of 8 bytes lie. */
  readonly update: (crc: bigint, table: number, at: number, end: number) => bigint;
}

/** TypeScript knows it of browsers alone. */
interface WebAssemblyHost {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

const I32 = 0x7f;
const I64 = 0x7e;
const BLOCK = [0x02, 0x40];
const LOOP = [0x03, 0x40];
const END = [0x0b];
const XOR = [0x85];
const WRAP = [0xa7];
const ADD32 = [0x6a];
const SHIFT_RIGHT = [0x88];
const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const breakTo = (depth: number): number[] => [0x0c, depth];
const breakIf = (depth: number): number[] => [0x0d, depth];

function unsigned(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)];
}

function signed(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signed(value >> 7)];
}

const const32 = (value: number): number[] => [0x41, ...signed(value)];
const const64 = (value: number): number[] => [0x42, ...signed(value)];
const and32 = (mask: number): number[] => [...const32(mask), 0x71];
const load64 = (offset: number): number[] => [0x29, 0, ...unsigned(offset)];
const loadByte = [0x31, 0, 0];

const [CRC, TABLE, AT, BEYOND] = [0, 1, 2, 3];
const ENTRY_BYTES = 8;
const TABLE_BYTES = 256 * ENTRY_BYTES;
/** A byte that is moved to be the offset of its entry. */
const ENTRY_MASK = 0xff * ENTRY_BYTES;

/** The entry for byte `n` of the CRC, in the table of a byte with 7 - n behind it. */
function entryOf(n: number): number[] {
  const shifted =
    n === 0
      ? [...get(CRC), ...WRAP, ...const32(3), 0x74]
      : [...get(CRC), ...const64(8 * n - 3), ...SHIFT_RIGHT, ...WRAP];
  return [...shifted, ...and32(ENTRY_MASK), ...get(TABLE), ...ADD32, ...load64((7 - n) * TABLE_BYTES)];
}

const step = (bytes: number): number[] => [...get(AT), ...const32(bytes), ...ADD32, ...set(AT), ...breakTo(0)];

const BODY = [
  0, // no further locals
  ...[...BLOCK, ...LOOP],
  ...[...get(AT), ...const32(8), ...ADD32, ...get(BEYOND), 0x4b, ...breakIf(1)],
  ...[...get(CRC), ...get(AT), ...load64(0), ...XOR, ...set(CRC)],
  ...entryOf(0),
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((n) => [...entryOf(n), ...XOR]),
  ...set(CRC),
  ...[...step(8), ...END, ...END],
  ...[...BLOCK, ...LOOP],
  ...[...get(AT), ...get(BEYOND), 0x4f, ...breakIf(1)],
  ...[
    ...get(CRC),
    ...get(AT),
    ...loadByte,
    ...XOR,
    ...WRAP,
    ...const32(3),
    0x74,
    ...and32(ENTRY_MASK),
    ...get(TABLE),
    ...ADD32,
    ...load64(0),
  ],
  ...[...get(CRC), ...const64(8), ...SHIFT_RIGHT, ...XOR, ...set(CRC)],
  ...[...step(1), ...END, ...END],
  ...[...get(CRC), ...END],
];

const section = (id: number, content: number[]): number[] => [id, ...unsigned(content.length), ...content];
const name = (text: string): number[] => [text.length, ...Buffer.from(text)];

/** Of so many pages of 64 KiB. */
export function crcMachine(pages: number): CrcMachine {
  const bytes = [
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 4, I64, I32, I32, I32, 1, I64]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, ...unsigned(pages)]),
    ...section(7, [2, ...name('memory'), 2, 0, ...name('update'), 0, 0]),
    ...section(10, [1, ...unsigned(BODY.length), ...BODY]),
  ];
  const { Instance, Module } = Reflect.get(globalThis, 'WebAssembly') as WebAssemblyHost;
  return new Instance(new Module(Uint8Array.from(bytes))).exports as CrcMachine;
}
