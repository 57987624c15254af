import type { Change } from '../../ports/store.ts';

/** The last changes, bounded in number and in weight, so that a watch can begin a little in the past. */
export class History {
  readonly #maxLength: number;
  readonly #maxBytes: number;
  #items: { change: Change; bytes: number }[] = [];
  /** Items before this index are gone; they are cut off once they are the half, so that dropping the oldest costs nothing. */
  #head = 0;
  #bytes = 0;
  #floor = 0;

  constructor(maxLength: number, maxBytes: number) {
    this.#maxLength = maxLength;
    this.#maxBytes = maxBytes;
  }

  /** The last revision that can no longer be replayed: a watch must begin after it. */
  get floor(): number {
    return this.#floor;
  }

  /** Forgets everything; the state is that of `rev`. */
  restart(rev: number): void {
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#floor = rev;
  }

  push(change: Change, bytes: number): void {
    this.#items.push({ change, bytes });
    this.#bytes += bytes;
    while (this.#items.length - this.#head > this.#maxLength || this.#bytes > this.#maxBytes) {
      const oldest = this.#items[this.#head];
      if (oldest === undefined) break;
      this.#bytes -= oldest.bytes;
      this.#floor = oldest.change.rev;
      this.#head += 1;
    }
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }

  /** Changes of revision `from` and later, oldest first. */
  since(from: number): Change[] {
    let low = this.#head;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle]?.change.rev ?? Infinity) < from) low = middle + 1;
      else high = middle;
    }
    return this.#items.slice(low).map((item) => item.change);
  }
}
