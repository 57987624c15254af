import amqp, { type ChannelModel, type SocketOptions } from 'amqplib';
import { isIPv4 } from 'node:net';
import { CloudError } from '../../base/errors.ts';

/** Where and as whom to log in. */
export interface RabbitAccess {
  /** Such as amqps://mq1.example.org:5671; plain amqp for loopback addresses only. */
  readonly endpoints: readonly string[];
  readonly vhost: string;
  readonly user: string;
  /** Absent: the client certificate says who it is (SASL EXTERNAL). */
  readonly password?: string | undefined;
  readonly tls?: RabbitTls | undefined;
  /** Name of this process, shown among the broker's connections. */
  readonly name: string;
}

/** PEM. */
export interface RabbitTls {
  /** Absent: the system's authorities. */
  readonly ca?: string | Buffer | undefined;
  readonly cert?: string | Buffer | undefined;
  readonly key?: string | Buffer | undefined;
}

export interface Endpoint {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
}

/** Seconds. Two of them without a byte from the broker, and the connection is given up. */
const HEARTBEAT_S = 10;
const DIAL_TIMEOUT_MS = 5000;
const KEEP_ALIVE_MS = 10_000;

const refuse = (message: string): CloudError => new CloudError('InvalidParameterValue', message);

/** CloudError 'InvalidParameterValue' when there is none, one cannot be read, or one is plain and not on this machine. */
export function readEndpoints(texts: readonly string[]): Endpoint[] {
  if (texts.length === 0) throw refuse('bus.rabbitmq.endpoints names no server: at least one is needed');
  return texts.map(readEndpoint);
}

function readEndpoint(text: string): Endpoint {
  const url = URL.parse(text);
  const secure = url?.protocol === 'amqps:';
  if (url === null || (!secure && url.protocol !== 'amqp:') || url.hostname === '' || url.username !== '') {
    throw refuse(
      'bus.rabbitmq.endpoints must be addresses like amqps://mq1.example.org:5671, without user or password',
    );
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (!secure && !isLoopback(host)) {
    throw refuse(
      `bus.rabbitmq.endpoints: ${text} is plain and leaves this machine; write amqps:// and the port of its TLS listener (5671)`,
    );
  }
  const port = url.port === '' ? (secure ? 5671 : 5672) : Number(url.port);
  return { url: text, host, port, secure };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** One connection. What goes wrong is thrown as amqplib, Node's TLS and sockets say it. */
export function dialRabbit(access: RabbitAccess, endpoint: Endpoint, purpose: string): Promise<ChannelModel> {
  const { user, password, vhost, name, tls } = access;
  const options: SocketOptions = {
    // Without it every call waits some 40 ms for a delayed acknowledgement.
    noDelay: true,
    keepAlive: true,
    keepAliveDelay: KEEP_ALIVE_MS,
    timeout: DIAL_TIMEOUT_MS,
    clientProperties: { connection_name: `novactl ${name} ${purpose}` },
    credentials: password === undefined ? amqp.credentials.external() : amqp.credentials.plain(user, password),
    ...(endpoint.secure && tlsOptions(tls)),
  };
  const { host: hostname, port, secure } = endpoint;
  // amqplib takes the percent escapes out again.
  const where = { protocol: secure ? 'amqps' : 'amqp', hostname, port, vhost: encodeURIComponent(vhost) };
  return amqp.connect({ ...where, heartbeat: HEARTBEAT_S }, options);
}

function tlsOptions({ ca, cert, key }: RabbitTls = {}): SocketOptions {
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}
