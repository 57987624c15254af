import type { ChannelModel, ConfirmChannel } from 'amqplib';
import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { full, late, nobody, parseReply, type Reply, unanswered } from './bus-wire.ts';
import { type Fixed, properties } from './rabbit-message.ts';
import { RabbitPublisher, type PublisherParts, type Sent } from './rabbit-publisher.ts';
import { NAMES } from './rabbit-topology.ts';

/** RabbitMQ's direct reply-to: answers come on the channel that asked, and need no queue. */
const REPLY_TO = 'amq.rabbitmq.reply-to';
/** More calls than these never wait for their answers in one process. */
const MAX_CALLS = 10_000;

interface Pending {
  readonly topic: string;
  readonly settle: (reply: Reply) => void;
}

/** The calls of this process that wait for an answer. */
export class RabbitCalls {
  readonly #clock: Clock;
  readonly #publisher: RabbitPublisher;
  readonly #pending = new Map<string, Pending>();

  constructor(parts: Pick<PublisherParts, 'clock' | 'problem' | 'giveUp'>) {
    this.#clock = parts.clock;
    this.#publisher = new RabbitPublisher({
      ...parts,
      onChannel: (channel) => this.#listen(channel),
      onGone: (reason) => this.#cut(reason),
    });
  }

  get waiting(): number {
    return this.#pending.size;
  }

  attach(connection: ChannelModel): Promise<void> {
    return this.#publisher.attach(connection);
  }

  detach(reason: string): void {
    this.#publisher.detach(reason);
  }

  async call(fixed: Fixed, bodyText: string, timeoutMs: number): Promise<Json | undefined> {
    const { messageId, topic, type } = fixed;
    if (this.#pending.size >= MAX_CALLS) {
      throw new CloudError('RequestLimitExceeded', `${MAX_CALLS} calls wait for their answers; try again later`);
    }
    const sending = this.#publisher.send({
      exchange: '',
      routingKey: NAMES.callQueue(topic),
      content: Buffer.from(bodyText, 'utf8'),
      options: {
        ...properties(fixed),
        mandatory: true,
        replyTo: REPLY_TO,
        correlationId: messageId,
        // Nobody waits for it longer than the caller.
        expiration: String(Math.max(1, Math.ceil(timeoutMs))),
      },
    });
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => settle({ error: late(topic, type, timeoutMs) }));
      const settle = (reply: Reply): void => {
        if (!this.#pending.delete(messageId)) return;
        timer.cancel();
        if ('error' in reply) reject(reply.error);
        else resolve(reply.answer);
      };
      this.#pending.set(messageId, { topic, settle });
      sending.then(
        (sent) => {
          const error = notTaken(topic, sent);
          if (error !== undefined) settle({ error });
        },
        (error: CloudError) => settle({ error }),
      );
    });
  }

  /** Ends what still waits. */
  close(): void {
    for (const { topic, settle } of [...this.#pending.values()]) settle({ error: unanswered(topic) });
  }

  async #listen(channel: ConfirmChannel): Promise<void> {
    await channel.consume(
      REPLY_TO,
      (message) => {
        // One that came too late finds nobody.
        if (message === null) return;
        const pending = this.#pending.get(String(message.properties.correlationId));
        pending?.settle(readReply(message.content.toString('utf8')));
      },
      { noAck: true },
    );
  }

  #cut(reason: string): void {
    const text = `the connection to RabbitMQ was cut before the answer came (${reason}); whether it was done is unknown`;
    for (const { topic, settle } of [...this.#pending.values()])
      settle({ error: new CloudError('Timeout', text, { details: { topic } }) });
  }
}

function notTaken(topic: string, sent: Sent): CloudError | undefined {
  if (sent === 'returned') return nobody(topic);
  if (sent === 'refused') return full(topic);
  // Taken or not, the answer or the deadline settles it.
  return undefined;
}

function readReply(text: string): Reply {
  try {
    return parseReply(text);
  } catch (error) {
    return { error: new CloudError('InternalError', `the answer cannot be read: ${errorText(error)}`) };
  }
}
