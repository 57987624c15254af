import type { Clock } from '../../base/clock.ts';
import { type Logger, silentLogger } from '../../base/logger.ts';
import type { Random } from '../../base/random.ts';
import { type Store, STORE_LIMITS } from '../../ports/store.ts';
import { CommitLine } from './commit-line.ts';
import { EngineStore } from './engine-store.ts';
import { ReplicaMap } from './replica-map.ts';
import { TokenBook } from './token-book.ts';

export interface MemoryStoreOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger?: Logger;
  /** How many past changes can be watched from. Default 10 000. */
  readonly historyLength?: number;
}

/** The file engine without the files: the same order, guards, tokens and watches, gone with the process. For tests and simulation. */
export function createMemoryStore({ clock, logger = silentLogger, historyLength }: MemoryStoreOptions): Store {
  const replica = new ReplicaMap({ clock, logger, ...(historyLength === undefined ? {} : { historyLength }) });
  const tokens = new TokenBook(clock, STORE_LIMITS.tokenKeepMs);
  const line = new CommitLine({ clock, replica, tokens, log: { append: () => Promise.resolve() } });
  return new EngineStore({ engine: 'memory', replica, line });
}
