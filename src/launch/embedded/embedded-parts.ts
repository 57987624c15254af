import type { Clock } from '../../base/clock.ts';
import type { Logger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import type { Config } from '../config/schema.ts';

/** What an embedded command is made of. */
export interface EmbeddedParts {
  readonly config: Config;
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** The first words of the command, which others who wait for it are told. No flags: they may hold secrets. */
  readonly command: string;
  /** Who runs it, and who ran sudo. */
  readonly user: string;
  /** What it works in; undefined: admin. */
  readonly project?: string | undefined;
  /** Fail with 'LockBusy' instead of waiting for another command. */
  readonly noWaitLock: boolean;
  /** For the lock, and then for the work. */
  readonly timeoutMs: number;
  /** Aborted: stop, leave the rest to the next command. */
  readonly signal: AbortSignal;
  /** One line for the person at the terminal. */
  readonly say: (text: string) => void;
  /** What is being done now, rewritten in place; empty: nothing. */
  readonly progress: (text: string) => void;
  /** A daemon answers: it has the state now. */
  readonly daemonAnswers: () => Promise<boolean>;
}
