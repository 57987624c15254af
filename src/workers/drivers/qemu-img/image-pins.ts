import type { Clock } from '../../../base/clock.ts';

/** Between the file and the disk that stands on it nothing on the host says that it is needed; longer than this no start takes. */
const PIN_MS = 10 * 60_000;

/** Images that were handed out and of which a disk is about to be made, each as often as it was handed out. */
export class ImagePins {
  readonly #clock: Clock;
  readonly #sinceMs = new Map<string, number[]>();
  /** How many ask for an image right now. */
  readonly #asking = new Map<string, number>();
  /** When a disk of it was about to be made, or was made, last. */
  readonly #lastMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Pinned while it lasts; with `start` also from its end on, without a gap. */
  async during<T>(sha256: string, start: boolean, work: () => Promise<T>): Promise<T> {
    this.#asking.set(sha256, (this.#asking.get(sha256) ?? 0) + 1);
    try {
      const result = await work();
      if (start) this.#add(sha256);
      return result;
    } finally {
      const others = (this.#asking.get(sha256) ?? 1) - 1;
      if (others === 0) this.#asking.delete(sha256);
      else this.#asking.set(sha256, others);
    }
  }

  #add(sha256: string): void {
    const nowMs = this.#clock.monotonicMs();
    this.#sinceMs.set(sha256, [...(this.#sinceMs.get(sha256) ?? []), nowMs]);
    this.#lastMs.set(sha256, nowMs);
  }

  /** One of the disks is there. */
  drop(sha256: string): void {
    this.#lastMs.set(sha256, this.#clock.monotonicMs());
    const [, ...others] = this.#sinceMs.get(sha256) ?? [];
    if (others.length === 0) this.#sinceMs.delete(sha256);
    else this.#sinceMs.set(sha256, others);
  }

  /** It is pinned, or a disk was made of it since then, which a look at the disks from then on may not have seen. */
  isWanted(sha256: string, sinceMs: number): boolean {
    return this.all().has(sha256) || (this.#lastMs.get(sha256) ?? Number.NEGATIVE_INFINITY) >= sinceMs;
  }

  all(): ReadonlySet<string> {
    const oldest = this.#clock.monotonicMs() - PIN_MS;
    for (const [sha256, times] of this.#sinceMs) {
      const young = times.filter((since) => since > oldest);
      if (young.length === 0) this.#sinceMs.delete(sha256);
      else this.#sinceMs.set(sha256, young);
    }
    return new Set([...this.#asking.keys(), ...this.#sinceMs.keys()]);
  }
}
