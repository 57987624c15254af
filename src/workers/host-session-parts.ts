import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { HostReport, InstanceCommand, Outcome, Progress } from '../messages/worker.ts';

/** How a session speaks to the controller; what it sends may be lost, so it repeats. */
export interface Reporter {
  host(report: HostReport): Promise<void>;
  /** Resolves when the controller has taken it; rejects when that is not known. */
  outcome(outcome: Outcome): Promise<void>;
  progress(progress: Progress): void;
}

export interface HostSessionParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly reporter: Reporter;
  readonly workerId: string;
  readonly session: string;
  /** Grows with every report of the worker. */
  readonly nextSeq: () => number;
  /** A command has ended on the host: `code` is ok or an error code. */
  readonly onEnded?: (verb: InstanceCommand['verb'], code: string, tookMs: number) => void;
  /** The host is ours from now on. */
  readonly onClaimed?: () => void;
  /** The claim is gone from the host, or could not be had after all: it should be opened anew. */
  readonly onUnclaimed?: () => void;
}

/** A command under way. */
export interface Running {
  readonly commandId: string;
  readonly generation: number;
  readonly abort: AbortController;
}
