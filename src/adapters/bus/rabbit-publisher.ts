import type { ChannelModel, ConfirmChannel, Options } from 'amqplib';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Clock, Timer } from '../../base/clock.ts';

/** What became of a message: taken over by a queue; no queue is there for it; its queue does not take it, as when it is full; nobody knows. */
export type Sent = 'taken' | 'returned' | 'refused' | { readonly unknown: string };

export interface OutMessage {
  readonly exchange: string;
  readonly routingKey: string;
  readonly content: Buffer;
  readonly options: Options.Publish & { readonly messageId: string };
}

interface Sending {
  returned: boolean;
  readonly timer: Timer;
  readonly settle: (sent: Sent) => void;
}

export interface PublisherParts {
  readonly clock: Clock;
  /** Why nothing can be sent now, of the connection. */
  readonly problem: () => string | undefined;
  /** At each new channel, before anything is sent on it. */
  readonly onChannel?: (channel: ConfirmChannel) => Promise<void>;
  /** The channel is gone: what was sent on it and has no answer never has one. */
  readonly onGone?: (reason: string) => void;
  /** No channel can be had on this connection. */
  readonly giveUp: (reason: string) => void;
}

/** More messages than these never wait for the broker's word. */
const MAX_SENDING = 10_000;
/** So long a broker may take to confirm; after that nobody knows. */
const CONFIRM_MS = 15_000;

/** A channel whose every message is confirmed, or returned, or ends as unknown. When the broker closes it, another is opened. */
export class RabbitPublisher {
  readonly #parts: PublisherParts;
  readonly #sending = new Map<string, Sending>();
  #channel: ConfirmChannel | undefined;
  #idle: (() => void)[] = [];

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** Messages that the broker has not answered for. */
  get unconfirmed(): number {
    return this.#sending.size;
  }

  async attach(connection: ChannelModel): Promise<void> {
    const channel = await connection.createConfirmChannel();
    let problem: string | undefined;
    channel.on('error', (error: Error) => (problem = errorText(error)));
    // Comes before the confirm: a confirm alone is no delivery.
    channel.on('return', ({ properties }) => {
      const sending = this.#sending.get(String(properties.messageId));
      if (sending !== undefined) sending.returned = true;
    });
    // Before amqplib's own listener, which would tell each confirmation of an error that looks like a refusal.
    channel.prependListener('close', () => this.#gone(connection, channel, problem));
    await this.#parts.onChannel?.(channel);
    this.#channel = channel;
  }

  /** CloudError 'Unavailable' when there is no connection (nothing was sent), 'RequestLimitExceeded' when too many wait. */
  send(message: OutMessage): Promise<Sent> {
    const channel = this.#channel;
    const problem = this.#parts.problem();
    if (channel === undefined || problem !== undefined) {
      throw new CloudError('Unavailable', `nothing was sent: ${problem ?? 'the channel is being opened again'}`);
    }
    if (this.#sending.size >= MAX_SENDING) {
      throw new CloudError('RequestLimitExceeded', `${MAX_SENDING} messages wait for RabbitMQ; try again later`);
    }
    const { exchange, routingKey, content, options } = message;
    const { messageId } = options;
    return new Promise((resolve, reject) => {
      const settle = (sent: Sent): void => {
        const sending = this.#sending.get(messageId);
        if (sending === undefined) return;
        this.#sending.delete(messageId);
        sending.timer.cancel();
        resolve(sent);
        if (this.#sending.size === 0) for (const idle of this.#idle.splice(0)) idle();
      };
      const unknown = { unknown: `RabbitMQ did not confirm it within ${CONFIRM_MS} ms` };
      const timer = this.#parts.clock.after(CONFIRM_MS, () => settle(unknown), { unref: true });
      const sending: Sending = { returned: false, timer, settle };
      this.#sending.set(messageId, sending);
      try {
        channel.publish(exchange, routingKey, content, options, (error) => {
          // Where the channel is gone, everything was settled before this comes.
          settle(error !== null ? 'refused' : sending.returned ? 'returned' : 'taken');
        });
      } catch (error) {
        this.#sending.delete(messageId);
        timer.cancel();
        reject(new CloudError('Unavailable', `nothing was sent: ${errorText(error)}`, { cause: error }));
      }
    });
  }

  /** Resolves when nothing waits for the broker's word. */
  async drained(): Promise<void> {
    if (this.#sending.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** The connection is gone. */
  detach(reason: string): void {
    this.#channel = undefined;
    this.#settleAll(reason);
  }

  #settleAll(reason: string): void {
    for (const { settle } of [...this.#sending.values()]) settle({ unknown: reason });
    this.#parts.onGone?.(reason);
  }

  #gone(connection: ChannelModel, channel: ConfirmChannel, problem: string | undefined): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    const reason = problem ?? 'the channel was closed';
    this.#settleAll(reason);
    // With no error of its own it went with its connection, which comes back by itself.
    if (problem === undefined) return;
    this.attach(connection).catch((error: unknown) => this.#parts.giveUp(errorText(error)));
  }
}

/** Rejects with the broker's error (403) when this user may not send. A message to a queue that never exists comes back. */
export async function checkPublishing(connection: ChannelModel, nowhere: string): Promise<void> {
  const channel = await connection.createConfirmChannel();
  await new Promise<void>((resolve, reject) => {
    channel.on('error', reject);
    channel.publish('', nowhere, Buffer.alloc(0), { mandatory: true }, (error: Error | null) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
  void channel.close().catch(() => undefined);
}
