import { createHash } from 'node:crypto';

/** Thrown, and kept, when an invariant does not hold. `invariant` is the number in DESIGN §2 and a few words. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly invariant: string;

  constructor(invariant: string, message: string) {
    super(message);
    this.invariant = invariant;
  }
}

/** What happened, line by line. Two runs of one seed must write the same bytes. */
export class History {
  readonly lines: string[] = [];
  readonly #hash = createHash('sha256');
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  add(who: string, what: string): void {
    const line = `${this.#nowMs().toFixed(0).padStart(8)} ${who.padEnd(10)} ${what}`;
    this.lines.push(line);
    this.#hash.update(`${line}\n`);
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
