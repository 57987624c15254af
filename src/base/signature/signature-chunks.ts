import { createHash, createHmac, type Hash, type KeyObject } from 'node:crypto';
import { scopeText, type Scope } from './signature-v4.ts';

/** What the first chunk of a body is signed after: the request's own signature, and with what. */
export interface ChunkSeed {
  readonly key: KeyObject;
  readonly scope: Scope;
  /** As in X-Amz-Date. */
  readonly time: string;
  /** Lower-case hex. */
  readonly signature: string;
}

const EMPTY_SHA256 = createHash('sha256').digest('hex');

/**
 * Signatures of chunks, each over the one before it (AWS, "Signature calculations for the authorization header: transferring payload in multiple chunks"). The
 * bytes of a chunk are hashed as they pass.
 */
export class ChunkSignatures {
  readonly #seed: ChunkSeed;
  #before: string;
  #hash: Hash = createHash('sha256');

  constructor(seed: ChunkSeed) {
    this.#seed = seed;
    this.#before = seed.signature;
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  /** The signature that the chunk must have whose bytes have passed; the next one begins. */
  endChunk(): string {
    const hash = this.#hash.digest('hex');
    this.#hash = createHash('sha256');
    return this.#sign('AWS4-HMAC-SHA256-PAYLOAD', [EMPTY_SHA256, hash]);
  }

  /** Of the headers behind the last chunk: `name:value` and a line feed each, in their order. */
  trailer(text: string): string {
    return this.#sign('AWS4-HMAC-SHA256-TRAILER', [createHash('sha256').update(text, 'utf8').digest('hex')]);
  }

  #sign(what: string, hashes: readonly string[]): string {
    const { key, scope, time } = this.#seed;
    const text = [what, time, scopeText(scope), this.#before, ...hashes].join('\n');
    this.#before = createHmac('sha256', key).update(text, 'utf8').digest('hex');
    return this.#before;
  }
}
