import type { Clock } from '../../../base/clock.ts';

/** Between the file and the disk that stands on it nothing on the host says that it is needed; longer than this no start takes. */
const PIN_MS = 10 * 60_000;

/** Images that were handed out and of which a disk is about to be made, each as often as it was handed out. */
export class ImagePins {
  readonly #clock: Clock;
  readonly #sinceMs = new Map<string, number[]>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(sha256: string): void {
    this.#sinceMs.set(sha256, [...(this.#sinceMs.get(sha256) ?? []), this.#clock.monotonicMs()]);
  }

  /** One of the disks is there. */
  drop(sha256: string): void {
    const [, ...others] = this.#sinceMs.get(sha256) ?? [];
    if (others.length === 0) this.#sinceMs.delete(sha256);
    else this.#sinceMs.set(sha256, others);
  }

  all(): string[] {
    const oldest = this.#clock.monotonicMs() - PIN_MS;
    for (const [sha256, times] of this.#sinceMs) {
      const young = times.filter((since) => since > oldest);
      if (young.length === 0) this.#sinceMs.delete(sha256);
      else this.#sinceMs.set(sha256, young);
    }
    return [...this.#sinceMs.keys()];
  }
}
