import type { Channel } from 'amqplib';
import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { declareCastQueue, NAMES } from './rabbit-topology.ts';

export interface ForgottenParts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly vhost: string;
  /** One server alone: no other has a copy of what this one forgot. */
  readonly alone: boolean;
}

/** A queue that is in order takes a consumer in milliseconds, and after a start or an election in a few seconds. */
const CONSUME_MS = 10_000;
/** So long it must have taken none before it counts as forgotten. */
const FORGOTTEN_MS = 20_000;
/** RabbitMQ says 0 messages also when it could not learn the number within 250 ms. */
const TRUE_COUNT_MS = 250;

interface Trouble {
  readonly sinceMs: number;
  readonly tries: number;
}

/**
 * Queues of casts that are declared and take no consumer. RabbitMQ (3.10 to 4.x) writes the names of its quorum queues down 3 s late; one
 * that is killed before makes of such a queue, at its next start, an empty one that never gets a leader, or none at all. Consuming it ends
 * the connection with 541, at once or after 65 s, for ever, also after further starts. Nothing is in it, so it is removed and made again.
 */
export class ForgottenQueues {
  readonly #parts: ForgottenParts;
  readonly #trouble = new Map<string, Trouble>();

  constructor(parts: ForgottenParts) {
    this.#parts = parts;
  }

  /** Declares it, after removing one that was forgotten. */
  async declare(channel: Channel, topic: string): Promise<string> {
    const queue = NAMES.castQueue(topic);
    if (this.#isDue(queue) && (await this.#isEmpty(channel, topic))) {
      this.#parts.logger.warn('RabbitMQ forgot a queue when it was killed; it is made again', { queue });
      await channel.deleteQueue(queue);
    }
    await declareCastQueue(channel, topic);
    return queue;
  }

  /** Rejects when the queue does not take the consumer in time; its connection is of no use then, since the channel stays busy with it. */
  async consume<T>(queue: string, consuming: Promise<T>, giveUp: (reason: string) => void): Promise<T> {
    const { clock } = this.#parts;
    const startMs = clock.monotonicMs();
    const over = Promise.withResolvers<never>();
    const late = clock.after(CONSUME_MS, () => over.reject(new Error(`no answer within ${CONSUME_MS} ms`)));
    try {
      const taken = await Promise.race([consuming, over.promise]);
      this.#trouble.delete(queue);
      return taken;
    } catch (error) {
      // With a code of its own it is a refusal, as of rights.
      if (typeof (error as { code?: unknown }).code === 'number') throw error;
      this.#count(queue, startMs);
      const problem = this.#problem(queue, error);
      giveUp(problem.message);
      throw problem;
    } finally {
      late.cancel();
    }
  }

  #count(queue: string, startMs: number): void {
    const { sinceMs, tries } = this.#trouble.get(queue) ?? { sinceMs: startMs, tries: 0 };
    this.#trouble.set(queue, { sinceMs, tries: tries + 1 });
  }

  #isDue(queue: string): boolean {
    const trouble = this.#trouble.get(queue);
    if (trouble === undefined || !this.#parts.alone || trouble.tries < 2) return false;
    return this.#parts.clock.monotonicMs() - trouble.sinceMs >= FORGOTTEN_MS;
  }

  /** For certain: a queue that is merely slow, or that somebody else made again already, is left alone. */
  async #isEmpty(channel: Channel, topic: string): Promise<boolean> {
    const { clock } = this.#parts;
    const queue = await declareCastQueue(channel, topic);
    const startMs = clock.monotonicMs();
    const { messageCount, consumerCount } = await channel.checkQueue(queue);
    return messageCount === 0 && consumerCount === 0 && clock.monotonicMs() - startMs < TRUE_COUNT_MS;
  }

  #problem(queue: string, error: unknown): CloudError {
    const { alone, vhost } = this.#parts;
    const mend = alone
      ? 'it is tried again, and made again when it stays so'
      : `it is tried again; when it stays so with all servers up, remove it: rabbitmqctl delete_queue -p ${vhost} ${queue}`;
    return new CloudError('Unavailable', `RabbitMQ's queue ${queue} takes no consumer (${errorText(error)}); ${mend}`, {
      cause: error,
    });
  }
}
