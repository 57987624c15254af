/** Reflected polynomials; all begin with ones and are inverted at the end. */
const POLYNOMIALS = {
  CRC32: 0xedb88320n,
  CRC32C: 0x82f63b78n,
  CRC64NVME: 0x9a6c9329ac4bc9b5n,
} as const;

export type CrcAlgorithm = keyof typeof POLYNOMIALS;

/** How many bytes a step takes: table `n` says what a byte does that has `n` more behind it in the step. */
const SLICES = 8;

interface Tables {
  readonly low: Uint32Array;
  readonly high: Uint32Array;
}

const made = new Map<CrcAlgorithm, Tables>();

/** Made at first use: 8 x 256 entries in two halves of 32 bits (JavaScript has no fast 64-bit integers). */
function tablesOf(algorithm: CrcAlgorithm): Tables {
  const known = made.get(algorithm);
  if (known !== undefined) return known;
  const polynomial = POLYNOMIALS[algorithm];
  const entries: bigint[] = [];
  for (let byte = 0n; byte < 256n; byte += 1n) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value & 1n) === 1n ? (value >> 1n) ^ polynomial : value >> 1n;
    entries.push(value);
  }
  for (let index = 256; index < SLICES * 256; index += 1) {
    const before = entries[index - 256] ?? 0n;
    entries.push((before >> 8n) ^ (entries[Number(before & 0xffn)] ?? 0n));
  }
  const tables = {
    low: Uint32Array.from(entries, (value) => Number(value & 0xffffffffn)),
    high: Uint32Array.from(entries, (value) => Number(value >> 32n)),
  };
  made.set(algorithm, tables);
  return tables;
}

// `?? 0` is for the compiler: reads beyond the end do not happen below, and it costs nothing.
/** CRC-32C (Castagnoli) of the bytes behind those of `crc`; 0 for none. */
export function crc32c(bytes: Uint8Array, crc = 0): number {
  const table = tablesOf('CRC32C').low;
  const end = bytes.length;
  const data = bytes;
  let c = ~crc;
  let i = 0;
  for (; i + 8 <= end; i += 8) {
    c ^= (data[i] ?? 0) | ((data[i + 1] ?? 0) << 8) | ((data[i + 2] ?? 0) << 16) | ((data[i + 3] ?? 0) << 24);
    c =
      (table[1792 + (c & 0xff)] ?? 0) ^
      (table[1536 + ((c >>> 8) & 0xff)] ?? 0) ^
      (table[1280 + ((c >>> 16) & 0xff)] ?? 0) ^
      (table[1024 + (c >>> 24)] ?? 0) ^
      (table[768 + (data[i + 4] ?? 0)] ?? 0) ^
      (table[512 + (data[i + 5] ?? 0)] ?? 0) ^
      (table[256 + (data[i + 6] ?? 0)] ?? 0) ^
      (table[data[i + 7] ?? 0] ?? 0);
  }
  for (; i < end; i += 1) c = (c >>> 8) ^ (table[(c ^ (data[i] ?? 0)) & 0xff] ?? 0);
  return ~c >>> 0;
}

/** CRC-64/NVME, in two halves of 32 bits. */
export class Crc64Nvme {
  #low = -1;
  #high = -1;

  update(bytes: Uint8Array): void {
    const tables = tablesOf('CRC64NVME');
    const low = tables.low;
    const high = tables.high;
    const data = bytes;
    const end = bytes.length;
    let l = this.#low;
    let h = this.#high;
    let i = 0;
    for (; i + 8 <= end; i += 8) {
      l ^= (data[i] ?? 0) | ((data[i + 1] ?? 0) << 8) | ((data[i + 2] ?? 0) << 16) | ((data[i + 3] ?? 0) << 24);
      h ^= (data[i + 4] ?? 0) | ((data[i + 5] ?? 0) << 8) | ((data[i + 6] ?? 0) << 16) | ((data[i + 7] ?? 0) << 24);
      const a = 1792 + (l & 0xff);
      const b = 1536 + ((l >>> 8) & 0xff);
      const c = 1280 + ((l >>> 16) & 0xff);
      const d = 1024 + (l >>> 24);
      const e = 768 + (h & 0xff);
      const f = 512 + ((h >>> 8) & 0xff);
      const g = 256 + ((h >>> 16) & 0xff);
      const k = h >>> 24;
      l =
        (low[a] ?? 0) ^
        (low[b] ?? 0) ^
        (low[c] ?? 0) ^
        (low[d] ?? 0) ^
        (low[e] ?? 0) ^
        (low[f] ?? 0) ^
        (low[g] ?? 0) ^
        (low[k] ?? 0);
      h =
        (high[a] ?? 0) ^
        (high[b] ?? 0) ^
        (high[c] ?? 0) ^
        (high[d] ?? 0) ^
        (high[e] ?? 0) ^
        (high[f] ?? 0) ^
        (high[g] ?? 0) ^
        (high[k] ?? 0);
    }
    for (; i < end; i += 1) {
      const at = (l ^ (data[i] ?? 0)) & 0xff;
      l = ((l >>> 8) | (h << 24)) ^ (low[at] ?? 0);
      h = (h >>> 8) ^ (high[at] ?? 0);
    }
    this.#low = l;
    this.#high = h;
  }

  /** Big-endian. */
  digest(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32BE(~this.#high >>> 0, 0);
    bytes.writeUInt32BE(~this.#low >>> 0, 4);
    return bytes;
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
