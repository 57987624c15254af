import type { Clock } from '../base/clock.ts';
import { CloudError, errnoOf } from '../base/errors.ts';
import { HttpClient, type HttpClientOptions, projectHeader } from './http-client.ts';
import { isAbsent } from './http-exchange.ts';
import type { Wire } from './wire.ts';

export interface SocketClientOptions {
  /** Absolute path of the admin API's socket. */
  readonly socketPath: string;
  readonly clock: Clock;
  /** Who ran sudo, as a claim for the record. */
  readonly sudoUser?: string | undefined;
  /** To work in; undefined: admin. */
  readonly project?: string | undefined;
  readonly onRequest?: HttpClientOptions['onRequest'];
  readonly onStale?: HttpClientOptions['onStale'];
}

/** In the details of the error when nobody listens at the socket, so that nothing was asked. */
export const NO_DAEMON = { daemon: 'absent' } as const;

/** The admin API over its UNIX socket. */
export class SocketClient extends HttpClient {
  constructor({ socketPath, sudoUser, project, ...rest }: SocketClientOptions) {
    super({ ...rest, wire: socketWire(socketPath, sudoUser, project) });
  }
}

function socketWire(socketPath: string, sudoUser: string | undefined, project: string | undefined): Wire {
  const claim = sudoUser === undefined ? {} : { 'x-novactl-sudo-user': encodeURIComponent(sudoUser) };
  return {
    endpoint: { socketPath },
    headers: ({ headers }) => ({ host: 'novactl', ...headers, ...claim, ...projectHeader(project) }),
    explain(error) {
      if (isAbsent(error)) {
        const text = `no cloud is running here (nobody answers at ${socketPath}); start it by: novactl up`;
        return new CloudError('Unavailable', text, { cause: error, details: NO_DAEMON });
      }
      if (errnoOf(error) === 'EACCES') {
        const text = `${socketPath} may be used by its owner alone; run novactl as that user or by sudo`;
        return new CloudError('OperationNotPermitted', text, { cause: error });
      }
      return undefined;
    },
  };
}
