import { createMemoryBus } from '../adapters/bus/memory-bus.ts';
import type { Clock } from '../base/clock.ts';
import { CloudError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { Bus } from '../ports/bus.ts';
import type { Config } from './config/schema.ts';

export interface BusParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The bus that the configuration names. Errors: 'Unavailable' when its servers can't be reached now. */
export function openBus(config: Config, parts: BusParts): Promise<Bus> {
  if (config.bus.engine === 'memory') return Promise.resolve(createMemoryBus(parts));
  return Promise.reject(
    new CloudError('UnsupportedOperation', 'bus.engine: rabbitmq is not there yet; set it to memory'),
  );
}
