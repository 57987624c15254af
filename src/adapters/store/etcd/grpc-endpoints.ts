import { credentials, Client, type ChannelCredentials, type ChannelOptions } from '@grpc/grpc-js';
import { CloudError, errorText } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import { randomBelow, type Random } from '../../../base/random.ts';
import { parseEtcdEndpoint } from './etcd-endpoint.ts';

/** Who this client is and whom it believes. PEM. */
export interface EtcdCredentials {
  /** Absent: the authorities that Node brings along. */
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

const MIB = 1024 * 1024;

const CHANNEL_OPTIONS: ChannelOptions = {
  // A lost answer does not mean that nothing happened: only the store may ask again, with the token of the change.
  'grpc.enable_retries': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.max_receive_message_length': 64 * MIB,
  // etcd throws out who asks more often than every 5 s, and, without a call under way, who asks at all.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.keepalive_permit_without_calls': 0,
  // The addresses are those of the configuration: no proxy from the environment, no TXT records, nothing shared with another client.
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
};

function refuse(message: string, cause?: unknown): CloudError {
  return new CloudError('InvalidParameterValue', message, { cause });
}

function tlsCredentials({ ca, cert, key }: EtcdCredentials): ChannelCredentials {
  if ((cert === undefined) !== (key === undefined)) {
    throw refuse('a client certificate for etcd needs its key, and a key its certificate');
  }
  try {
    return credentials.createSsl(ca ?? null, key ?? null, cert ?? null);
  } catch (error) {
    throw refuse(
      `the authority, certificate or key for etcd can't be used: ${errorText(error)}; they must be PEM files`,
      error,
    );
  }
}

/** One way to one server. */
export interface EtcdServer {
  readonly url: string;
  readonly client: Client;
}

/**
 * The servers of the cluster, one after the other. All calls go to the current one; when a call says that it failed there, the next one is current.
 * Each process begins at another one.
 */
export class EtcdServers {
  readonly #servers: readonly EtcdServer[];
  readonly #logger: Logger;
  #current: number;
  /** A whole turn without an answer is one line of the log, not one a call. */
  #failures = 0;

  /** Connects to nothing yet. Errors: InvalidParameterValue for addresses and credentials that can't be used. */
  constructor(
    parts: EtcdCredentials & {
      readonly endpoints: readonly string[];
      readonly random: Random;
      readonly logger: Logger;
    },
  ) {
    if (parts.endpoints.length === 0) throw refuse('no address of an etcd server is given');
    const endpoints = parts.endpoints.map(parseEtcdEndpoint);
    const secure = endpoints.some(({ tls }) => tls) ? tlsCredentials(parts) : undefined;
    this.#servers = endpoints.map(({ url, target, tls }) => ({
      url,
      client: new Client(target, tls && secure !== undefined ? secure : credentials.createInsecure(), CHANNEL_OPTIONS),
    }));
    this.#logger = parts.logger;
    this.#current = randomBelow(parts.random, this.#servers.length);
  }

  get current(): EtcdServer {
    const server = this.#servers[this.#current];
    if (server === undefined) throw new Error('no server is current');
    return server;
  }

  answered(): void {
    this.#failures = 0;
  }

  /** Many calls fail together when a server does: they move on by one, not by as many as they are. */
  failed(server: EtcdServer, error: CloudError): void {
    if (server !== this.current) return;
    this.#current = (this.#current + 1) % this.#servers.length;
    this.#failures += 1;
    const meta = { failed: server.url, next: this.current.url, problem: error.message };
    if (this.#failures === 1) this.#logger.warn('etcd: on to the next server', meta);
    else this.#logger.debug('etcd: on to the next server', meta);
  }

  close(): void {
    for (const { client } of this.#servers) client.close();
  }
}
