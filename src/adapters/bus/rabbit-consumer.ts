import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Clock } from '../../base/clock.ts';
import { asCloudError, CloudError, errorText } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import type { Logger } from '../../base/logger.ts';
import type { HandlerTable } from '../../ports/bus.ts';
import { deadReason, replyText } from './bus-wire.ts';
import type { BusLimits } from './memory-bus.ts';
import type { Outcome } from './memory-queue.ts';
import { type Incoming, readMessage } from './rabbit-message.ts';

export interface ConsumerParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: BusLimits;
  readonly topic: string;
  readonly handlers: HandlerTable;
  /** Messages of each queue that are handled side by side; of a fanout, that are fetched ahead. */
  readonly prefetch: number;
  /** Declares what is consumed. */
  readonly declare: (channel: Channel) => Promise<readonly { kind: Kind; queue: string }[]>;
  /** Sends an answer; never rejects. */
  readonly reply: (to: { replyTo: string; correlationId: string }, incoming: Incoming, text: string) => Promise<void>;
  /** Resolves when the message is among the dead letters. */
  readonly bury: (incoming: Incoming, why: { deliveries: number; reason: string }) => Promise<void>;
  /** Waits for the consumer of a queue of casts to be taken. */
  readonly consumeCasts: <T>(queue: string, consuming: Promise<T>) => Promise<T>;
  /** The connection that stands now. */
  readonly connection: () => ChannelModel | undefined;
  /** Consumes again after a time without. */
  readonly onUp: () => void;
}

type Kind = 'call' | 'cast' | 'fanout';

interface Delivery {
  readonly channel: Channel;
  readonly kind: Kind;
  readonly message: ConsumeMessage;
  readonly incoming: Incoming;
}

const MAX_RETRY_MS = 5000;

/** One subscription: a channel of its own, opened again on each connection and whenever the broker closes it. */
export class RabbitConsumer {
  readonly #parts: ConsumerParts;
  readonly #stopped = new AbortController();
  #channel: Channel | undefined;
  #tags: string[] = [];
  #handling = 0;
  #waiting = 0;
  /** Fanouts are handled one after the other. */
  #tail: Promise<void> = Promise.resolve();
  #idle: (() => void)[] = [];

  constructor(parts: ConsumerParts) {
    this.#parts = parts;
  }

  get up(): boolean {
    return this.#channel !== undefined;
  }

  get handling(): number {
    return this.#handling;
  }

  /** Messages that were fetched and not begun. */
  get waiting(): number {
    return this.#waiting;
  }

  async attach(connection: ChannelModel): Promise<void> {
    const channel = await connection.createChannel();
    const state: { problem?: string } = {};
    channel.on('error', (error: Error) => (state.problem = errorText(error)));
    channel.on('close', () => this.#gone(connection, channel, state.problem));
    try {
      await channel.prefetch(this.#parts.prefetch);
      const tags: string[] = [];
      for (const { kind, queue } of await this.#parts.declare(channel)) {
        const onMessage = (message: ConsumeMessage | null): void => {
          if (message !== null) return this.#take(channel, kind, message);
          state.problem = `the queue ${queue} was removed`;
          void channel.close().catch(() => undefined);
        };
        const consuming = channel.consume(queue, onMessage);
        const { consumerTag } = await (kind === 'cast' ? this.#parts.consumeCasts(queue, consuming) : consuming);
        tags.push(consumerTag);
      }
      this.#tags = tags;
      this.#channel = channel;
    } catch (error) {
      void channel.close().catch(() => undefined);
      throw error;
    }
  }

  /** Takes no more messages and resolves when the handlers under way have ended, or have had their time. */
  async close(): Promise<void> {
    this.#stopped.abort();
    const channel = this.#channel;
    if (channel !== undefined) await Promise.all(this.#tags.map((tag) => channel.cancel(tag).catch(() => undefined)));
    if (this.#handling > 0) await this.#idleOrLate();
    // What was given to us and not acknowledged goes to others.
    this.#channel = undefined;
    void channel?.close().catch(() => undefined);
  }

  /** Who ends does not wait as long as callers do. */
  #idleOrLate(): Promise<void> {
    const { clock, limits } = this.#parts;
    return new Promise((resolve) => {
      const late = clock.after(limits.ackTimeoutMs, resolve);
      this.#idle.push(() => {
        late.cancel();
        resolve();
      });
    });
  }

  get #closing(): boolean {
    return this.#stopped.signal.aborted;
  }

  #gone(connection: ChannelModel, channel: Channel, problem: string | undefined): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    // With no error of its own it went with its connection, which brings it back.
    if (problem === undefined || this.#closing) return;
    const { logger, topic } = this.#parts;
    logger.warn('RabbitMQ closed a channel; it is opened again', { topic, problem });
    void this.#again(connection);
  }

  async #again(connection: ChannelModel): Promise<void> {
    const { clock, limits, logger, topic } = this.#parts;
    for (let waitMs = limits.redeliveryDelayMs / 4; ; waitMs = Math.min(waitMs * 2, MAX_RETRY_MS)) {
      try {
        await clock.sleep(waitMs, this.#stopped.signal);
      } catch {
        return;
      }
      if (this.#parts.connection() !== connection) return;
      try {
        await this.attach(connection);
        this.#parts.onUp();
        return;
      } catch (error) {
        logger.warn('a topic cannot be served', { topic, error: errorText(error) });
      }
    }
  }

  #take(channel: Channel, kind: Kind, message: ConsumeMessage): void {
    const delivery = { channel, kind, message, incoming: readMessage(this.#parts.topic, message) };
    // On its way when the queue was given up; a call is answered, because one that comes a second time is not handled.
    if (this.#closing && kind !== 'call') {
      giveBack(delivery);
      return;
    }
    if (kind !== 'fanout') {
      void this.#handle(delivery);
      return;
    }
    this.#waiting += 1;
    this.#tail = this.#tail.then(async () => {
      this.#waiting -= 1;
      if (!this.#closing) await this.#handle(delivery);
    });
  }

  async #handle(delivery: Delivery): Promise<void> {
    this.#handling += 1;
    try {
      await this.#finish(delivery, await this.#outcome(delivery));
    } catch (error) {
      this.#parts.logger.error('a message could not be finished', { error: errorText(error) });
    } finally {
      this.#handling -= 1;
      if (this.#handling === 0) for (const idle of this.#idle.splice(0)) idle();
    }
  }

  async #outcome({ kind, message, incoming }: Delivery): Promise<Outcome> {
    const { clock, limits, handlers, topic } = this.#parts;
    if (kind === 'call' && message.fields.redelivered) return { kind: 'failed', error: takenBefore(topic) };
    const handler = Object.hasOwn(handlers, incoming.type) ? handlers[incoming.type] : undefined;
    if (handler === undefined) return { kind: 'unknown-type' };
    return new Promise((resolve) => {
      const timer = clock.after(handlingMs(incoming, limits.ackTimeoutMs), () => resolve({ kind: 'ack-timeout' }), {
        unref: true,
      });
      const run = async (): Promise<Json | undefined> =>
        handler(JSON.parse(incoming.bodyText) as Json, incoming.envelope);
      void run()
        .then(
          (answer) => resolve({ kind: 'ok', answer }),
          (error: unknown) => resolve({ kind: 'failed', error: asCloudError(error) }),
        )
        .finally(() => timer.cancel());
    });
  }

  #finish(delivery: Delivery, outcome: Outcome): Promise<void> | void {
    if (delivery.kind === 'call') return this.#answer(delivery, outcome);
    if (delivery.kind === 'cast') return this.#afterCast(delivery, outcome);
    acknowledge(delivery);
    const { topic, type } = delivery.incoming;
    if (outcome.kind === 'failed')
      this.#parts.logger.warn('a subscriber failed', { topic, type, error: outcome.error.message });
  }

  async #answer(delivery: Delivery, outcome: Outcome): Promise<void> {
    const { incoming, message } = delivery;
    const { replyTo, correlationId } = message.properties as { replyTo?: unknown; correlationId?: unknown };
    if (outcome.kind !== 'ack-timeout' && typeof replyTo === 'string' && typeof correlationId === 'string') {
      await this.#parts.reply({ replyTo, correlationId }, incoming, replyText(incoming, outcome));
    }
    acknowledge(delivery);
  }

  async #afterCast(delivery: Delivery, outcome: Outcome): Promise<void> {
    if (outcome.kind === 'ok') {
      acknowledge(delivery);
      return;
    }
    const { clock, limits, logger } = this.#parts;
    const { topic, type, envelope } = delivery.incoming;
    const deliveries = envelope.deliveries + 1;
    if (outcome.kind === 'unknown-type' || deliveries >= limits.deliveries) {
      const reason = deadReason(type, outcome);
      logger.warn('a message was given up', { topic, type, reason });
      try {
        await this.#parts.bury(delivery.incoming, { deliveries, reason });
        acknowledge(delivery);
        return;
      } catch (error) {
        // The broker counts too, and buries it without the reason.
        logger.warn('a dead letter could not be written', { topic, type, error: errorText(error) });
      }
    }
    if (outcome.kind === 'failed') {
      logger.debug('a cast failed and will be delivered again', { topic, type, error: outcome.error.message });
    }
    // No hot loop: it is held here and takes one of the places.
    clock.after(limits.redeliveryDelayMs, () => giveBack(delivery), { unref: true });
  }
}

/** As long as the caller of a call waits for its answer, by its own clock. */
function handlingMs({ deadlineMs = 0, sentAtMs }: Incoming, ackTimeoutMs: number): number {
  return Math.max(ackTimeoutMs, deadlineMs - sentAtMs);
}

/** Where the channel is gone the broker has given the message to another already. */
function acknowledge({ channel, message }: Delivery): void {
  try {
    channel.ack(message);
  } catch {
    return;
  }
}

function giveBack({ channel, message }: Delivery): void {
  try {
    channel.nack(message, false, true);
  } catch {
    return;
  }
}

function takenBefore(topic: string): CloudError {
  return new CloudError('Timeout', `the process that took it for ${topic} went away; whether it was done is unknown`, {
    details: { topic },
  });
}
