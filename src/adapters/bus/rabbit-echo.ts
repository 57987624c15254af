import type { ChannelModel, ConsumeMessage } from 'amqplib';
import type { Clock, Timer } from '../../base/clock.ts';

export interface EchoParts {
  readonly clock: Clock;
  /** A name of its own for each connection: the broker may not know yet that the one before is gone. */
  readonly queueName: () => string;
  readonly send: (queue: string) => Promise<unknown>;
  /** An echo came after a time without. */
  readonly onHeard: () => void;
}

const EVERY_MS = 1500;
/** Below the time after which a silent worker counts as gone. */
const SILENT_MS = 5000;

/**
 * A message of this process to itself, again and again. A broker that is stopped, that takes no messages (its memory or disk is full) or that
 * is behind a dead network keeps the connection for up to 30 s, and all that time silence of others would look like their death.
 */
export class RabbitEcho {
  readonly #parts: EchoParts;
  #heardMs: number;
  #queue = '';
  #wasSilent = false;
  #timer: Timer | undefined;
  /** Where the broker closed the channel or removed the queue alone: the connection that it is opened on again. */
  #lost: ChannelModel | undefined;

  constructor(parts: EchoParts) {
    this.#parts = parts;
    this.#heardMs = parts.clock.monotonicMs();
  }

  get problem(): string | undefined {
    const silentMs = this.#parts.clock.monotonicMs() - this.#heardMs;
    if (this.#timer === undefined || silentMs <= SILENT_MS) return undefined;
    return `RabbitMQ has delivered nothing for ${Math.round(silentMs / 1000)} s, not even what this process sends itself`;
  }

  async attach(connection: ChannelModel): Promise<void> {
    const queue = this.#parts.queueName();
    const channel = await connection.createChannel();
    let broken = false;
    channel.on('error', () => (broken = true));
    channel.on('close', () => {
      // With no error of its own it went with its connection, which brings it back.
      if (broken && this.#queue === queue) this.#lost = connection;
    });
    await channel.assertQueue(queue, { durable: false, exclusive: true, autoDelete: true });
    const onMessage = (message: ConsumeMessage | null): void => {
      if (message !== null) return this.#heard();
      broken = true;
      void channel.close().catch(() => undefined);
    };
    await channel.consume(queue, onMessage, { noAck: true });
    this.#lost = undefined;
    this.#queue = queue;
    this.#heard();
  }

  start(): void {
    this.#heardMs = this.#parts.clock.monotonicMs();
    this.#timer = this.#parts.clock.every(EVERY_MS, () => this.#ping(), { unref: true });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #ping(): void {
    this.#wasSilent ||= this.problem !== undefined;
    if (this.#lost !== undefined) void this.#again(this.#lost);
    try {
      void this.#parts.send(this.#queue).catch(() => undefined);
    } catch {
      // There is no connection, and that is known already.
      return;
    }
  }

  async #again(connection: ChannelModel): Promise<void> {
    this.#lost = undefined;
    const queue = this.#queue;
    try {
      await this.attach(connection);
    } catch {
      // Of a connection that was replaced meanwhile nothing is wanted any more.
      if (this.#queue === queue) this.#lost = connection;
    }
  }

  #heard(): void {
    const wasSilent = this.#wasSilent || this.problem !== undefined;
    this.#heardMs = this.#parts.clock.monotonicMs();
    this.#wasSilent = false;
    if (wasSilent) this.#parts.onHeard();
  }
}
