import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../../base/clock.ts';
import type { Random } from '../../../base/random.ts';

const EXPIRY_BYTES = 6;
const NONCE_BYTES = 8;
const BODY_BYTES = EXPIRY_BYTES + NONCE_BYTES;
const MAC_BYTES = 32;
/** base64url of body and MAC, without padding. */
const TOKEN = new RegExp(`^[A-Za-z0-9_-]{${Math.ceil(((BODY_BYTES + MAC_BYTES) * 8) / 6)}}$`);

export const TOKEN_TTL_SECONDS = { min: 1, max: 21_600 } as const;

/**
 * Session tokens of the instance metadata service, version 2. A token holds its own expiry and a nonce, signed together with the
 * instance's id by a key that lives as long as the process: nothing is stored, a token of one instance is worth nothing to
 * another, and after a restart clients fetch a new one (they must, on a 401).
 */
export class SessionTokens {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #key: Buffer;

  constructor(parts: { clock: Clock; random: Random }) {
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#key = parts.random.bytes(32);
  }

  issue(instanceId: string, ttlSeconds: number): string {
    const body = Buffer.alloc(BODY_BYTES);
    body.writeUIntBE(Math.ceil(this.#clock.monotonicMs() + ttlSeconds * 1000), 0, EXPIRY_BYTES);
    this.#random.bytes(NONCE_BYTES).copy(body, EXPIRY_BYTES);
    return Buffer.concat([body, this.#sign(instanceId, body)]).toString('base64url');
  }

  /** True for a token issued by this process to this instance that has not expired. */
  accepts(instanceId: string, token: string): boolean {
    if (!TOKEN.test(token)) return false;
    const bytes = Buffer.from(token, 'base64url');
    const body = bytes.subarray(0, BODY_BYTES);
    const mac = bytes.subarray(BODY_BYTES);
    if (mac.length !== MAC_BYTES || !timingSafeEqual(mac, this.#sign(instanceId, body))) return false;
    return this.#clock.monotonicMs() < body.readUIntBE(0, EXPIRY_BYTES);
  }

  #sign(instanceId: string, body: Buffer): Buffer {
    return createHmac('sha256', this.#key).update(body).update(instanceId).digest();
  }
}
