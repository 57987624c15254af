import type { ChannelModel } from 'amqplib';
import type { Duplex } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { randomBelow, type Random } from '../../base/random.ts';
import { dialRabbit, type Endpoint, type RabbitAccess } from './rabbit-dial.ts';
import { connectionProblem } from './rabbit-problems.ts';

export interface LinkParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly access: RabbitAccess;
  readonly endpoints: readonly Endpoint[];
  /** What the connection is for, shown among the broker's connections. */
  readonly purpose: string;
  /** Declares and subscribes; the link is up when it has resolved. */
  readonly setup: (connection: ChannelModel) => Promise<void>;
  readonly onUp: () => void;
  /** The connection is gone, with all its channels. */
  readonly onDown: (reason: string) => void;
}

const FIRST_DELAY_MS = 100;
const MAX_DELAY_MS = 5000;
/** A broker that takes connections and then says nothing is as good as none. */
const SETUP_MS = 15_000;
const CLOSE_MS = 2000;
/** RabbitMQ's word when two processes make the same queue at the same moment. */
const INTERNAL_ERROR = 541;
const MAX_STUMBLES = 4;

/**
 * One connection that comes back. A cut one is replaced after 50 to 100 ms, by the next server of the list; each server is tried once
 * before the wait doubles, up to 5 s. The setup is done anew each time.
 */
export class RabbitLink {
  readonly #parts: LinkParts;
  readonly #stopped = new AbortController();
  #next: number;
  #connection: ChannelModel | undefined;
  #problem: string | undefined = 'it is not connected yet';
  #blocked: string | undefined;

  constructor(parts: LinkParts) {
    this.#parts = parts;
    // Processes spread over the servers.
    this.#next = randomBelow(parts.random, parts.endpoints.length);
  }

  /** Present while it is up. */
  get connection(): ChannelModel | undefined {
    return this.#connection;
  }

  /** Why nothing can be sent now. */
  get problem(): string | undefined {
    return this.#problem ?? this.#blocked;
  }

  /** Tries each server once. When none is had, the error tells of each; from then on it never gives up. */
  async open(): Promise<void> {
    const problems: CloudError[] = [];
    let left = this.#parts.endpoints.length;
    for (let stumbles = 0; left > 0; left -= 1) {
      try {
        await this.#connect();
        return;
      } catch (error) {
        const problem = error as CloudError;
        if (problem.details?.reply === INTERNAL_ERROR && (stumbles += 1) < MAX_STUMBLES) left += 1;
        else problems.push(problem);
      }
    }
    // One that answered and refused says more than those that were not there.
    const [first] = problems.toSorted((a, b) => Number(a.code === 'Unavailable') - Number(b.code === 'Unavailable'));
    if (problems.length === 1 && first !== undefined) throw first;
    const text = problems.map(({ message }) => message).join('. ');
    throw new CloudError(first?.code ?? 'Unavailable', text, { details: { problems: problems.length }, cause: first });
  }

  /** Gives this connection up; another one comes in its place. */
  drop(reason: string): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#lost(connection, reason);
    this.#end(connection);
  }

  async close(): Promise<void> {
    this.#stopped.abort(new CloudError('Unavailable', 'the bus is closed'));
    const connection = this.#connection;
    this.#connection = undefined;
    this.#problem = 'the bus is closed';
    if (connection === undefined) return;
    await this.#within(CLOSE_MS, connection.close()).catch(() => undefined);
    destroySocket(connection);
  }

  async #connect(): Promise<void> {
    const { access, endpoints, purpose, setup } = this.#parts;
    const endpoint = endpoints[this.#next % endpoints.length];
    this.#next += 1;
    if (endpoint === undefined) return;
    let connection: ChannelModel | undefined;
    try {
      connection = await dialRabbit(access, endpoint, purpose);
      await this.#adopt(connection, setup);
    } catch (error) {
      if (connection !== undefined) this.#end(connection);
      throw connectionProblem(endpoint, access, error);
    }
  }

  async #adopt(connection: ChannelModel, setup: LinkParts['setup']): Promise<void> {
    let ended: Error | undefined;
    connection.on('error', (error: Error) => (ended ??= error));
    connection.on('close', (error?: Error) => {
      ended ??= error ?? new Error('the connection was closed');
      this.#lost(connection, errorText(ended));
    });
    connection.on('blocked', (reason: string) => {
      this.#blocked = `RabbitMQ takes no messages: ${reason}`;
      this.#parts.logger.warn('RabbitMQ takes no messages', { reason });
    });
    connection.on('unblocked', () => (this.#blocked = undefined));
    await this.#within(SETUP_MS, setup(connection));
    if (ended !== undefined) throw ended;
    if (this.#stopped.signal.aborted) throw new Error('the bus is closed');
    this.#blocked = undefined;
    this.#problem = undefined;
    this.#connection = connection;
    this.#parts.onUp();
  }

  #lost(connection: ChannelModel, reason: string): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    this.#problem = `the connection to RabbitMQ is gone: ${reason}`;
    this.#parts.onDown(reason);
    if (this.#stopped.signal.aborted) return;
    this.#parts.logger.warn('the connection to RabbitMQ is gone', { purpose: this.#parts.purpose, reason });
    void this.#reconnect();
  }

  async #reconnect(): Promise<void> {
    const { clock, logger, purpose, endpoints } = this.#parts;
    let told = '';
    for (let attempt = 0; this.#connection === undefined; attempt += 1) {
      try {
        await clock.sleep(this.#delayMs(attempt), this.#stopped.signal);
      } catch {
        return;
      }
      try {
        await this.#connect();
        logger.info('connected to RabbitMQ again', { purpose });
      } catch (error) {
        this.#problem = errorText(error);
        if (attempt >= endpoints.length && this.#problem !== told) {
          told = this.#problem;
          logger.warn('RabbitMQ is not there', { purpose, error: told });
        }
      }
      if (this.#stopped.signal.aborted) return;
    }
  }

  #delayMs(attempt: number): number {
    const { endpoints, random } = this.#parts;
    const rounds = Math.min(Math.floor(attempt / endpoints.length), 10);
    return Math.min(FIRST_DELAY_MS * 2 ** rounds, MAX_DELAY_MS) * (0.5 + random.unit() / 2);
  }

  /** Closes it in the background, and without an answer cuts it off. */
  #end(connection: ChannelModel): void {
    void this.#within(CLOSE_MS, connection.close())
      .catch(() => undefined)
      .finally(() => destroySocket(connection));
  }

  async #within<T>(timeoutMs: number, work: Promise<T>): Promise<T> {
    const over = Promise.withResolvers<never>();
    const timer = this.#parts.clock.after(timeoutMs, () => {
      over.reject(new Error(`RabbitMQ did not answer within ${timeoutMs} ms`));
    });
    try {
      return await Promise.race([work, over.promise]);
    } finally {
      timer.cancel();
    }
  }
}

/**
 * amqplib ends a connection politely: where the other side does not answer, the socket would stay until the kernel gives it up. It has
 * no public way to the socket; where a later version hides it, sockets go when TCP's keepalive says so.
 */
function destroySocket(connection: ChannelModel): void {
  (connection.connection as { readonly stream?: Duplex }).stream?.destroy();
}
