import type { Clock } from '../../base/clock.ts';
import type { Config } from '../config/schema.ts';

/** What is wrong with etcd's servers: ones that do not answer or hold something else, raised alarms. */
export function serverProblems(_config: Config, _clock: Clock): Promise<string[]> {
  return Promise.resolve([]);
}
