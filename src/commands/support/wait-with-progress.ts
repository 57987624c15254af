import { progressText } from '../../views/progress.ts';
import { deadline } from './deadline.ts';
import type { Session } from './session.ts';

const LOOK_MS = 500;

export interface WorkSeen {
  /** What is done now. How fast one of them is has nothing to do with how fast the one before it was. */
  readonly step: string;
  readonly doneBytes: number;
  /** Absent: not known. */
  readonly totalBytes?: number | undefined;
}

export interface WaitOrder<T> {
  readonly timeoutMs: number;
  /** Completes "gave up waiting ... after 1h". */
  readonly what: string;
  /** Begins what is said of a new step; absent: steps are not told. */
  readonly name?: string;
  look(signal: AbortSignal): Promise<{ readonly done: T } | WorkSeen>;
}

/** Looks until it is done, with a bar on a terminal. Errors: those of `look`; 'Timeout' after timeoutMs (the work goes on). */
export async function waitWithProgress<T>(session: Session, { timeoutMs, what, name, look }: WaitOrder<T>): Promise<T> {
  const { io, output } = session;
  const end = deadline(io, timeoutMs, what);
  let startMs = io.clock.monotonicMs();
  let told = '';
  try {
    for (;;) {
      const seen = await look(end.signal);
      if ('done' in seen) return seen.done;
      const { step, doneBytes, totalBytes } = seen;
      if (step !== told) {
        if (name !== undefined) output.detail(`${name}: ${step}`);
        [told, startMs] = [step, io.clock.monotonicMs()];
      }
      const tookMs = io.clock.monotonicMs() - startMs;
      const width = io.stderr.columns ?? 80;
      output.progress(progressText({ label: step, sentBytes: doneBytes, sizeBytes: totalBytes, tookMs, width }));
      await io.clock.sleep(LOOK_MS, end.signal);
    }
  } finally {
    output.progress('');
    end.clear();
  }
}
