/** A chunk that grows past this is cut in two; insertion moves at most this many strings. */
const CHUNK_KEYS = 512;

export interface SortedRange {
  /** Only keys that start with this. Default: all. */
  readonly prefix?: string;
  /** Only keys greater than this one. */
  readonly after?: string;
  /** At most so many. Default: all. */
  readonly limit?: number;
}

/** A place between keys: the chunk, and the index inside it (which may be its length). */
interface Place {
  readonly chunk: number;
  readonly index: number;
}

/** The least string that is greater than every string starting with prefix; undefined when there is none. */
export function prefixEnd(prefix: string): string | undefined {
  for (let last = prefix.length - 1; last >= 0; last -= 1) {
    const unit = prefix.charCodeAt(last);
    if (unit < 0xffff) return prefix.slice(0, last) + String.fromCharCode(unit + 1);
  }
  return undefined;
}

/** How many leading items of a sorted array are less than `key` (or not greater, when `inclusive`). */
function lowerBound(keys: readonly string[], key: string, inclusive: boolean): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const here = keys[middle] ?? '';
    if (here < key || (inclusive && here === key)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * A map from strings that is also ordered, by UTF-16 code unit as `<` compares. Values live in a hash map, so get and replace
 * cost O(1); keys live in sorted chunks of bounded size, so that insert and delete among 100 000 keys move a few hundred
 * pointers and a range starts after two binary searches.
 */
export class SortedMap<V> {
  readonly #values = new Map<string, V>();
  /** No chunk is empty. */
  #chunks: string[][] = [];

  get size(): number {
    return this.#values.size;
  }

  get(key: string): V | undefined {
    return this.#values.get(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  set(key: string, value: V): void {
    const fresh = !this.#values.has(key);
    this.#values.set(key, value);
    if (fresh) this.#insertKey(key);
  }

  /** True when the key was there. */
  delete(key: string): boolean {
    if (!this.#values.delete(key)) return false;
    const { chunk, index } = this.#find(key, false);
    const keys = this.#chunks[chunk] ?? [];
    keys.splice(index, 1);
    if (keys.length === 0) this.#chunks.splice(chunk, 1);
    return true;
  }

  clear(): void {
    this.#values.clear();
    this.#chunks = [];
  }

  /** How many keys start with prefix. */
  count(prefix: string): number {
    if (prefix === '') return this.size;
    const end = prefixEnd(prefix);
    return (end === undefined ? this.size : this.#rank(end)) - this.#rank(prefix);
  }

  /** The range in key order. The map must not change while it is walked; take slices with `after` and `limit` if it may. */
  *entries(range: SortedRange = {}): Generator<[string, V]> {
    const { prefix = '', after, limit = Infinity } = range;
    const start = this.#start(prefix, after);
    let left = limit;
    for (let chunk = start.chunk; chunk < this.#chunks.length; chunk += 1) {
      const keys = this.#chunks[chunk] ?? [];
      for (let index = chunk === start.chunk ? start.index : 0; index < keys.length; index += 1) {
        const key = keys[index] ?? '';
        if (left <= 0 || !key.startsWith(prefix)) return;
        left -= 1;
        yield [key, this.#values.get(key) as V];
      }
    }
  }

  /** Values of the range, in key order. Not by `entries`: a page of a listing is a thousand of them, and a generator costs more than they do. */
  values({ prefix = '', after, limit = Infinity }: SortedRange = {}): V[] {
    const out: V[] = [];
    const start = this.#start(prefix, after);
    for (let { chunk, index } = start; chunk < this.#chunks.length; chunk += 1, index = 0) {
      const keys = this.#chunks[chunk] ?? [];
      for (; index < keys.length; index += 1) {
        const key = keys[index] ?? '';
        if (out.length >= limit || !key.startsWith(prefix)) return out;
        out.push(this.#values.get(key) as V);
      }
    }
    return out;
  }

  #start(prefix: string, after: string | undefined): Place {
    return after !== undefined && after >= prefix ? this.#find(after, true) : this.#find(prefix, false);
  }

  #insertKey(key: string): void {
    const { chunk, index } = this.#find(key, false);
    const keys = this.#chunks[chunk];
    if (keys === undefined) {
      const last = this.#chunks.at(-1);
      // Keys that come in order, as a snapshot brings them, fill chunks whole instead of leaving halves behind.
      if (last !== undefined && last.length < CHUNK_KEYS) last.push(key);
      else this.#chunks.push([key]);
      return;
    }
    if (index === keys.length) keys.push(key);
    else keys.splice(index, 0, key);
    if (keys.length > CHUNK_KEYS) this.#chunks.splice(chunk + 1, 0, keys.splice(CHUNK_KEYS >>> 1));
  }

  /** The place of the first key that is >= key (or > key, when `inclusive` keeps equal ones before it). */
  #find(key: string, inclusive: boolean): Place {
    let low = 0;
    let high = this.#chunks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const last = this.#chunks[middle]?.at(-1) ?? '';
      if (last < key || (inclusive && last === key)) low = middle + 1;
      else high = middle;
    }
    return { chunk: low, index: lowerBound(this.#chunks[low] ?? [], key, inclusive) };
  }

  /** How many keys are less than key. */
  #rank(key: string): number {
    const place = this.#find(key, false);
    let rank = place.index;
    for (let chunk = 0; chunk < place.chunk; chunk += 1) rank += this.#chunks[chunk]?.length ?? 0;
    return rank;
  }
}
