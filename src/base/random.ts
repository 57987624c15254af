import { randomBytes, randomFillSync } from 'node:crypto';

/** Chance as a dependency: seeded in the simulation, the kernel's in production. */
export interface Random {
  /** In [0, 1). */
  unit(): number;
  bytes(count: number): Buffer;
}

/** The kernel is asked for so many bytes at a time. */
const POOL_BYTES = 4096;
/** Ids, tokens and nonces; keys are longer, and are had from the kernel by themselves. */
const POOLED_BYTES = 16;

export class SystemRandom implements Random {
  readonly #pool = Buffer.alloc(POOL_BYTES);
  #at = POOL_BYTES;

  unit(): number {
    return this.bytes(6).readUIntBE(0, 6) / 2 ** 48;
  }

  bytes(count: number): Buffer {
    if (count > POOLED_BYTES) return randomBytes(count);
    if (this.#at + count > POOL_BYTES) {
      randomFillSync(this.#pool);
      this.#at = 0;
    }
    const end = this.#at + count;
    const out = Buffer.from(this.#pool.subarray(this.#at, end));
    // Nothing is given out twice, nor left behind.
    this.#pool.fill(0, this.#at, end);
    this.#at = end;
    return out;
  }
}

/** mulberry32: small and good enough to replay a simulation; never for secrets. */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  unit(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  bytes(count: number): Buffer {
    const out = Buffer.alloc(count);
    for (let i = 0; i < count; i += 1) out[i] = Math.floor(this.unit() * 256);
    return out;
  }
}

/** An integer in [0, limit). */
export function randomBelow(random: Random, limit: number): number {
  return Math.floor(random.unit() * limit);
}

/** Lower-case hex of the given number of digits. */
export function randomHex(random: Random, digits: number): string {
  return random
    .bytes(Math.ceil(digits / 2))
    .toString('hex')
    .slice(0, digits);
}
