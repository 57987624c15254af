import { jsonLogger } from '../../base/logger.ts';
import { SystemRandom } from '../../base/random.ts';
import type { CloudClient } from '../../client/cloud-client.ts';
import { loginName } from '../login-name.ts';
import { EmbeddedClient } from './embedded-client.ts';
import type { EmbeddedParts } from './embedded-parts.ts';

export interface EmbeddedOptions extends Omit<EmbeddedParts, 'random' | 'logger' | 'user'> {
  /** Who ran sudo, as a claim for the record. */
  readonly sudoUser?: string | undefined;
  /** Lines of the log, for who wants to see them. */
  readonly log: (line: string) => void;
}

/** The cloud in this process, for one command. Nothing is opened before it is needed. */
export function openEmbeddedCloud({ sudoUser, log, ...options }: EmbeddedOptions): CloudClient {
  const { clock } = options;
  const logger = jsonLogger({ level: 'info', nowMs: () => clock.nowMs(), write: (line) => log(line.trimEnd()) });
  const claim = sudoUser === undefined ? '' : ` (sudo ${sudoUser.replaceAll(/[^\w.@-]/g, '?').slice(0, 64)})`;
  return new EmbeddedClient({ ...options, logger, random: new SystemRandom(), user: `${loginName()}${claim}` });
}
