import { crcMachine, type CrcMachine } from './crc-machine.ts';

/** Reflected polynomials; all begin with ones and are inverted at the end. */
const POLYNOMIALS = {
  CRC32: 0xedb88320n,
  CRC32C: 0x82f63b78n,
  CRC64NVME: 0x9a6c9329ac4bc9b5n,
} as const;

export type CrcAlgorithm = keyof typeof POLYNOMIALS;

const WIDTH_BYTES: Readonly<Record<CrcAlgorithm, 4 | 8>> = { CRC32: 4, CRC32C: 4, CRC64NVME: 8 };
const ALGORITHMS: readonly CrcAlgorithm[] = ['CRC32', 'CRC32C', 'CRC64NVME'];

/** Eight bytes are a step: table `n` says what a byte does that has `n` more behind it in the step. */
const ENTRIES = 8 * 256;
const TABLE_BYTES = ENTRIES * 8;
const PAGE_BYTES = 65_536;
/** So much is copied to the machine at a time; it stays in the processor's cache. */
const WINDOW_AT = PAGE_BYTES;
const WINDOW_BYTES = PAGE_BYTES;

function tableOf(polynomial: bigint): BigUint64Array {
  const entries: bigint[] = [];
  for (let byte = 0n; byte < 256n; byte += 1n) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value & 1n) === 1n ? (value >> 1n) ^ polynomial : value >> 1n;
    entries.push(value);
  }
  for (let index = 256; index < ENTRIES; index += 1) {
    const before = entries[index - 256] ?? 0n;
    entries.push((before >> 8n) ^ (entries[Number(before & 0xffn)] ?? 0n));
  }
  return BigUint64Array.from(entries);
}

let machine: { readonly run: CrcMachine['update']; readonly window: Uint8Array } | undefined;

/** Made at first use; one is enough, since nothing waits within a call. */
function theMachine(): NonNullable<typeof machine> {
  if (machine !== undefined) return machine;
  const { memory, update } = crcMachine((WINDOW_AT + WINDOW_BYTES) / PAGE_BYTES);
  for (const [index, algorithm] of ALGORITHMS.entries()) {
    new BigUint64Array(memory.buffer, index * TABLE_BYTES, ENTRIES).set(tableOf(POLYNOMIALS[algorithm]));
  }
  machine = { run: update, window: new Uint8Array(memory.buffer, WINDOW_AT, WINDOW_BYTES) };
  return machine;
}

/** A CRC of bytes that come one after the other. */
export class RunningCrc {
  readonly #table: number;
  readonly #widthBytes: 4 | 8;
  #crc: bigint;

  constructor(algorithm: CrcAlgorithm) {
    this.#table = ALGORITHMS.indexOf(algorithm) * TABLE_BYTES;
    this.#widthBytes = WIDTH_BYTES[algorithm];
    this.#crc = this.#ones();
  }

  #ones(): bigint {
    return (1n << BigInt(this.#widthBytes * 8)) - 1n;
  }

  update(bytes: Uint8Array): void {
    const { run, window } = theMachine();
    for (let at = 0; at < bytes.length; at += WINDOW_BYTES) {
      const piece = bytes.subarray(at, at + WINDOW_BYTES);
      window.set(piece);
      this.#crc = BigInt.asUintN(64, run(this.#crc, this.#table, WINDOW_AT, WINDOW_AT + piece.length));
    }
  }

  /** Big-endian. */
  digest(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(this.#crc ^ this.#ones());
    return bytes.subarray(8 - this.#widthBytes);
  }
}

/** The product of two polynomials modulo that of the CRC, reflected as the CRC is (zlib's multmodp). */
function product(a: bigint, b: bigint, polynomial: bigint, top: bigint): bigint {
  let sum = 0n;
  let shifted = b;
  for (let bit = top; bit > 0n; bit >>= 1n) {
    if ((a & bit) !== 0n) sum ^= shifted;
    shifted = (shifted & 1n) === 1n ? (shifted >> 1n) ^ polynomial : shifted >> 1n;
  }
  return sum;
}

/** What so many zero bytes do to a CRC. The parts of an upload are mostly of one size, so the last few are kept. */
const shifts = new Map<string, bigint>();
const SHIFTS_KEPT = 64;

function shiftOf(algorithm: CrcAlgorithm, lengthBytes: number, top: bigint): bigint {
  const name = `${algorithm} ${lengthBytes}`;
  const known = shifts.get(name);
  if (known !== undefined) return known;
  const polynomial = POLYNOMIALS[algorithm];
  let shift = top;
  // x^8: one byte.
  let power = top >> 8n;
  for (let rest = BigInt(lengthBytes); rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) shift = product(power, shift, polynomial, top);
    power = product(power, power, polynomial, top);
  }
  if (shifts.size >= SHIFTS_KEPT) shifts.clear();
  shifts.set(name, shift);
  return shift;
}

/** The CRC of two pieces, one behind the other, from the CRC of each and the length of the second. */
export function combineCrc(algorithm: CrcAlgorithm, first: bigint, second: bigint, secondBytes: number): bigint {
  const top = algorithm === 'CRC64NVME' ? 1n << 63n : 1n << 31n;
  const shift = shiftOf(algorithm, secondBytes, top);
  return product(shift, first, POLYNOMIALS[algorithm], top) ^ second;
}
