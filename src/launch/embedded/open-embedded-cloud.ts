import { CloudError } from '../../base/errors.ts';
import { jsonLogger } from '../../base/logger.ts';
import { SystemRandom } from '../../base/random.ts';
import type { CloudClient } from '../../client/cloud-client.ts';
import type { Config } from '../config/schema.ts';
import { loginName } from '../login-name.ts';
import { EmbeddedClient } from './embedded-client.ts';
import type { EmbeddedParts } from './embedded-parts.ts';

export interface EmbeddedOptions extends Omit<EmbeddedParts, 'random' | 'logger' | 'user'> {
  /** Who ran sudo, as a claim for the record. */
  readonly sudoUser?: string | undefined;
  /** Lines of the log, for who wants to see them. */
  readonly log: (line: string) => void;
}

/**
 * The cloud in this process, for one command. Nothing is opened before it is needed. CloudError 'Unavailable' where the cloud is one of several
 * processes: a command that joined it for a moment would take hosts from those that serve them.
 */
export function openEmbeddedCloud({ sudoUser, log, ...options }: EmbeddedOptions): CloudClient {
  refuseShared(options.config);
  const { clock } = options;
  const logger = jsonLogger({ level: 'info', nowMs: () => clock.nowMs(), write: (line) => log(line.trimEnd()) });
  const claim = sudoUser === undefined ? '' : ` (sudo ${sudoUser.replaceAll(/[^\w.@-]/g, '?').slice(0, 64)})`;
  return new EmbeddedClient({ ...options, logger, random: new SystemRandom(), user: `${loginName()}${claim}` });
}

function refuseShared({ store, bus, runDir, roles }: Config): void {
  if (store.engine !== 'etcd' && bus.engine !== 'rabbitmq') return;
  const why = store.engine === 'etcd' ? 'its state is in etcd' : 'its parts are joined by RabbitMQ';
  const here = roles.includes('api')
    ? 'start it here by: novactl up'
    : `this machine has only the roles ${roles.join(', ')}`;
  throw new CloudError(
    'Unavailable',
    `no process with the api role answers in ${runDir}, and ${why}, so a command alone can't do it; ${here}, or choose one elsewhere by --context (see novactl context list)`,
  );
}
