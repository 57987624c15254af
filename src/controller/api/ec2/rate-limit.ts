/** What is counted apart. */
export const RATE_CLASSES = ['describe', 'change', 'run'] as const;
export type RateClass = (typeof RATE_CLASSES)[number];

/** A bucket's size, and how many a second flow into it. 0 a second: no limit. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** So many buckets are remembered; a key that has not asked for longest is forgotten, and begins anew. */
const MAX_BUCKETS = 10_000;

/** By the action's name: what only reads, what makes instances, and everything else. */
export function rateClassOf(action: string): RateClass {
  if (/^(Describe|Get|List)/.test(action)) return 'describe';
  return action === 'RunInstances' ? 'run' : 'change';
}

/** Token buckets, one for each access key and class. Of this process alone: several api processes let through as many times more. */
export class RateLimit {
  readonly #rates: Readonly<Record<RateClass, Rate>>;
  readonly #maxBuckets: number;
  /** In the order of their last use. */
  readonly #buckets = new Map<string, Bucket>();

  constructor(rates: Readonly<Record<RateClass, Rate>>, maxBuckets = MAX_BUCKETS) {
    this.#rates = rates;
    this.#maxBuckets = maxBuckets;
  }

  /** Takes one; 0 when there was one, else milliseconds until there is. `nowMs` never goes back. Only for callers whose signature held. */
  take(accessKeyId: string, rateClass: RateClass, nowMs: number): number {
    const { perSecond, burst } = this.#rates[rateClass];
    if (perSecond === 0) return 0;
    const name = `${rateClass}/${accessKeyId}`;
    const bucket = this.#buckets.get(name) ?? { tokens: burst, atMs: nowMs };
    this.#buckets.delete(name);
    const tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) * perSecond) / 1000);
    const isThere = tokens >= 1;
    this.#buckets.set(name, { tokens: isThere ? tokens - 1 : tokens, atMs: nowMs });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > this.#maxBuckets && oldest !== undefined) this.#buckets.delete(oldest);
    return isThere ? 0 : ((1 - tokens) * 1000) / perSecond;
  }

  get size(): number {
    return this.#buckets.size;
  }
}
