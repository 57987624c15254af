import type { Clock } from '../base/clock.ts';
import { CloudError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { HostReach } from '../ports/host-reach.ts';
import type { CloudKey } from './cloud-key.ts';
import { askHostKey } from './ssh-access.ts';

export interface HostReachParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly cloudKey: CloudKey;
  readonly hostDir: string;
}

/** Machines looked at before they are hosts: their key, and the preflight. */
export function createHostReach(parts: HostReachParts): HostReach {
  return {
    hostKey: (query) => askHostKey(query, parts),
    cloudKey: () => parts.cloudKey.publicLine(),
    check: () => Promise.reject(new CloudError('UnsupportedOperation', 'the preflight is not there yet')),
  };
}
