import type { Clock } from '../../base/clock.ts';
import { type Random, randomBelow } from '../../base/random.ts';

/** One way of a message. A call has two: `call`, and `reply` on the way back. */
export interface Hop {
  readonly kind: 'call' | 'cast' | 'fanout' | 'reply';
  readonly topic: string;
  readonly type: string;
}

/**
 * What goes wrong, for tests and simulation: chances in [0, 1] for each hop, looked at anew for every message, so that a test may
 * change them while it runs. The choices come from the bus's Random: the same seed, the same faults.
 */
export interface BusFaults {
  drop?: number;
  double?: number;
  /** Later by up to maxDelayMs. */
  delay?: number;
  /** Default 1000. */
  maxDelayMs?: number;
  /** Held back by a moment (up to 10 ms), so that what was sent after it arrives before it. */
  reorder?: number;
  /** Only hops for which this is true are touched. */
  applies?: (hop: Hop) => boolean;
}

const REORDER_MS = 10;

/** Runs `deliver` as often and as late as the faults say; without faults once, now. */
export function carry(
  options: { clock: Clock; random: Random; faults: BusFaults | undefined },
  hop: Hop,
  deliver: () => void,
): void {
  const { clock, random, faults } = options;
  if (faults === undefined || faults.applies?.(hop) === false) {
    deliver();
    return;
  }
  const hit = (chance: number | undefined): boolean => chance !== undefined && chance > 0 && random.unit() < chance;
  if (hit(faults.drop)) return;
  const copies = hit(faults.double) ? 2 : 1;
  for (let copy = 0; copy < copies; copy += 1) {
    const delayMs = hit(faults.delay) ? 1 + randomBelow(random, faults.maxDelayMs ?? 1000) : 0;
    const lateMs = delayMs + (hit(faults.reorder) ? 1 + randomBelow(random, REORDER_MS) : 0);
    if (lateMs === 0) deliver();
    else clock.after(lateMs, deliver, { unref: true });
  }
}
