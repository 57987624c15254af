import type { ChannelModel } from 'amqplib';
import type { Clock } from '../../base/clock.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import type { Logger } from '../../base/logger.ts';
import { type Random, randomHex } from '../../base/random.ts';
import { strictJson } from '../../base/strict-json.ts';
import {
  type Bus,
  type BusHealth,
  BUS_LIMITS,
  type DeadLetter,
  type HandlerTable,
  type ServeOptions,
  type Subscription,
} from '../../ports/bus.ts';
import { full, nobody, shut } from './bus-wire.ts';
import type { BusLimits } from './memory-bus.ts';
import { RabbitCalls } from './rabbit-calls.ts';
import { RabbitConsumer, type ConsumerParts } from './rabbit-consumer.ts';
import { readDeadLetters } from './rabbit-dead-letters.ts';
import { RabbitEcho } from './rabbit-echo.ts';
import { type RabbitAccess, readEndpoints } from './rabbit-dial.ts';
import { ForgottenQueues } from './rabbit-forgotten.ts';
import { RabbitLink } from './rabbit-link.ts';
import { deadProperties, type Fixed, properties } from './rabbit-message.ts';
import { topicProblem } from './rabbit-problems.ts';
import { checkPublishing, RabbitPublisher, type OutMessage } from './rabbit-publisher.ts';
import {
  declareCallQueue,
  declareDeadLetters,
  declareFanoutExchange,
  declareFanoutQueue,
  NAMES,
  onChannel,
} from './rabbit-topology.ts';

export interface RabbitBusOptions extends RabbitAccess {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** For tests; what is not given is BUS_LIMITS. */
  readonly limits?: Partial<Pick<BusLimits, 'redeliveryDelayMs' | 'ackTimeoutMs'>>;
}

/** Fetched ahead for one subscriber, which handles them one by one. */
const FANOUT_PREFETCH = 128;
/** An echo that nobody fetches is not kept. */
const ECHO_LIFE_MS = 5000;
const DRAIN_MS = 5000;
/** A queue of a broker that was just started may need some seconds until it can be consumed. */
const ATTACH_MS = 60_000;
const ATTACH_WAIT_MS = 250;
const ATTACH_MAX_WAIT_MS = 5000;

/**
 * The bus between processes, on RabbitMQ. It rejects when no connection can be had now: the CloudError names what in `bus.rabbitmq` is
 * wrong and how it is mended. Later the connections come back by themselves, with all that was served; meanwhile sends are 'Unavailable'.
 */
export async function openRabbitBus(options: RabbitBusOptions): Promise<Bus> {
  const bus = new RabbitBus(options);
  await bus.open();
  return bus;
}

class RabbitBus implements Bus {
  readonly #options: RabbitBusOptions;
  readonly #limits: BusLimits;
  readonly #name: string;
  readonly #publishing: RabbitLink;
  readonly #consuming: RabbitLink;
  readonly #sends: RabbitPublisher;
  readonly #calls: RabbitCalls;
  readonly #echo: RabbitEcho;
  readonly #forgotten: ForgottenQueues;
  readonly #consumers = new Set<RabbitConsumer>();
  /** Exchanges that are known to be there, on this connection. */
  readonly #exchanges = new Map<string, Promise<void>>();
  #attaching: Promise<unknown> = Promise.resolve();
  #sinceMs: number;
  #sequence = 0;
  #readers = 0;
  #closing: Promise<void> | undefined;

  constructor(options: RabbitBusOptions) {
    this.#options = options;
    const { clock, random, logger, limits } = options;
    this.#limits = { ...BUS_LIMITS, ...limits };
    this.#name = `${options.name}-${randomHex(random, 12)}`;
    this.#sinceMs = clock.monotonicMs();
    const endpoints = readEndpoints(options.endpoints);
    this.#forgotten = new ForgottenQueues({ clock, logger, vhost: options.vhost, alone: endpoints.length === 1 });
    const common = { clock, random, logger, access: options, endpoints };
    this.#publishing = new RabbitLink({
      ...common,
      purpose: 'publish',
      setup: (connection) => this.#setUpPublishing(connection),
      onUp: () => undefined,
      onDown: (reason) => this.#stopPublishing(reason),
    });
    this.#consuming = new RabbitLink({
      ...common,
      purpose: 'consume',
      setup: (connection) => this.#setUpConsuming(connection),
      onUp: () => this.#heard(),
      onDown: () => undefined,
    });
    const problem = (): string | undefined => this.#publishing.problem;
    const giveUp = (reason: string): void => this.#publishing.drop(reason);
    // What closed the channel may have been an exchange that went.
    this.#sends = new RabbitPublisher({ clock, problem, giveUp, onGone: () => this.#exchanges.clear() });
    this.#calls = new RabbitCalls({ clock, problem, giveUp });
    this.#echo = new RabbitEcho({
      clock,
      queueName: () => NAMES.fanoutQueue('echo', this.#newReader()),
      send: (queue) => {
        const options = properties(this.#fixed('echo', 'echo'));
        const message = { exchange: '', routingKey: queue, content: Buffer.from('{}') };
        return this.#sends.send({ ...message, options: { ...options, expiration: String(ECHO_LIFE_MS) } });
      },
      onHeard: () => this.#heard(),
    });
  }

  async open(): Promise<void> {
    try {
      await this.#publishing.open();
      await this.#consuming.open();
      this.#echo.start();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async call(topic: string, type: string, body: Json, { timeoutMs }: { timeoutMs: number }): Promise<Json | undefined> {
    this.#mustBeOpen();
    const bodyText = strictJson(body, type);
    const fixed = this.#fixed(topic, type);
    return this.#calls.call({ ...fixed, deadlineMs: fixed.sentAtMs + timeoutMs }, bodyText, timeoutMs);
  }

  async cast(topic: string, type: string, body: Json): Promise<void> {
    this.#mustBeOpen();
    const options = { ...properties(this.#fixed(topic, type)), mandatory: true, persistent: true };
    const content = Buffer.from(strictJson(body, type), 'utf8');
    await this.#deliver(topic, { exchange: '', routingKey: NAMES.castQueue(topic), content, options });
  }

  async fanout(topic: string, type: string, body: Json): Promise<void> {
    this.#mustBeOpen();
    const content = Buffer.from(strictJson(body, type), 'utf8');
    const options = properties(this.#fixed(topic, type));
    await this.#exchange(topic);
    await this.#deliver(topic, { exchange: NAMES.fanoutExchange(topic), routingKey: '', content, options });
  }

  async serve(topic: string, handlers: HandlerTable, options: ServeOptions = {}): Promise<Subscription> {
    return this.#consume({
      topic,
      handlers,
      prefetch: options.prefetch ?? this.#limits.prefetch,
      declare: async (channel) => [
        { kind: 'cast', queue: await this.#forgotten.declare(channel, topic) },
        { kind: 'call', queue: await declareCallQueue(channel, topic) },
      ],
    });
  }

  async subscribe(topic: string, handlers: HandlerTable): Promise<Subscription> {
    return this.#consume({
      topic,
      handlers,
      prefetch: FANOUT_PREFETCH,
      declare: async (channel) => [
        { kind: 'fanout', queue: await declareFanoutQueue(channel, topic, this.#newReader()) },
      ],
    });
  }

  async deadLetters(): Promise<DeadLetter[]> {
    const connection = this.#consuming.connection;
    if (connection === undefined) throw unavailable(this.#consuming.problem);
    return readDeadLetters(connection, this.#limits.deadLetters);
  }

  health(): BusHealth {
    const { clock } = this.#options;
    const consumers = [...this.#consumers];
    const sum = (of: (consumer: RabbitConsumer) => number): number => consumers.reduce((all, one) => all + of(one), 0);
    const problem = this.#problem();
    return {
      engine: 'rabbitmq',
      ok: problem === undefined,
      ...(problem !== undefined && { problem }),
      listeningSinceMs: this.#listening() ? this.#sinceMs : clock.monotonicMs(),
      waiting: sum(({ waiting }) => waiting) + this.#sends.unconfirmed,
      handling: sum(({ handling }) => handling),
    };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#echo.stop();
    await Promise.all([...this.#consumers].map((consumer) => consumer.close()));
    this.#calls.close();
    const enough = new AbortController();
    const patience = this.#options.clock.sleep(DRAIN_MS, enough.signal).catch(() => undefined);
    await Promise.race([this.#sends.drained(), patience]);
    enough.abort();
    await Promise.all([this.#publishing.close(), this.#consuming.close()]);
    this.#stopPublishing('the bus is closed');
  }

  #mustBeOpen(): void {
    if (this.#closing !== undefined) throw shut();
  }

  #problem(): string | undefined {
    if (this.#closing !== undefined) return 'the bus is closed';
    const deaf = this.#listening() ? undefined : 'a topic is not served at the moment';
    return this.#publishing.problem ?? this.#consuming.problem ?? this.#echo.problem ?? deaf;
  }

  #listening(): boolean {
    if (this.#consuming.connection === undefined || this.#echo.problem !== undefined) return false;
    return [...this.#consumers].every(({ up }) => up);
  }

  #heard(): void {
    if (this.#listening()) this.#sinceMs = this.#options.clock.monotonicMs();
  }

  /** Another at each connection: the broker may not know yet that the one before is gone, and keeps its queue for it. */
  #newReader(): string {
    this.#readers += 1;
    return `${this.#name}.${this.#readers}`;
  }

  #fixed(topic: string, type: string): Fixed {
    this.#sequence += 1;
    return { messageId: `${this.#name}-${this.#sequence}`, topic, type, sentAtMs: this.#options.clock.nowMs() };
  }

  async #setUpPublishing(connection: ChannelModel): Promise<void> {
    await checkPublishing(connection, NAMES.nowhere);
    await this.#sends.attach(connection);
    await this.#calls.attach(connection);
  }

  #stopPublishing(reason: string): void {
    this.#sends.detach(reason);
    this.#calls.detach(reason);
  }

  async #setUpConsuming(connection: ChannelModel): Promise<void> {
    await onChannel(connection, declareDeadLetters);
    await this.#echo.attach(connection);
    for (const consumer of this.#consumers) await consumer.attach(connection);
  }

  async #deliver(topic: string, message: OutMessage): Promise<void> {
    const sent = await this.#sends.send(message);
    if (sent === 'taken') return;
    if (sent === 'returned') throw nobody(topic);
    if (sent === 'refused') throw await this.#refusal(topic, message);
    throw new CloudError('Timeout', `whether ${topic} gets it is unknown: ${sent.unknown}`, { details: { topic } });
  }

  /** RabbitMQ refuses when the queue is full, and also while it starts or has lost most of its servers, with no word of the reason. */
  async #refusal(topic: string, { routingKey }: OutMessage): Promise<CloudError> {
    const connection = this.#publishing.connection;
    const count =
      connection === undefined || routingKey === ''
        ? 0
        : await onChannel(connection, async (channel) => (await channel.checkQueue(routingKey)).messageCount).catch(
            () => 0,
          );
    // The limit counts those that are being handled too, and the count does not.
    if (count >= this.#limits.queueLength / 2) return full(topic);
    return new CloudError('Unavailable', `RabbitMQ could not take what is for ${topic} just now; try again later`, {
      details: { topic },
    });
  }

  /** Sending to an exchange that is not there would close the channel, with all that is under way on it. */
  async #exchange(topic: string): Promise<void> {
    const known = this.#exchanges.get(topic);
    if (known !== undefined) return known;
    const connection = this.#publishing.connection;
    if (connection === undefined) throw unavailable(this.#publishing.problem);
    const declared = onChannel(connection, (channel) => declareFanoutExchange(channel, topic)).catch(
      (error: unknown) => {
        this.#exchanges.delete(topic);
        throw topicProblem(topic, this.#options, error);
      },
    );
    this.#exchanges.set(topic, declared);
    return declared;
  }

  async #consume(what: Pick<ConsumerParts, 'topic' | 'handlers' | 'prefetch' | 'declare'>): Promise<Subscription> {
    this.#mustBeOpen();
    const { clock, logger } = this.#options;
    const consumer = new RabbitConsumer({
      ...what,
      ...{ clock, logger, limits: this.#limits },
      reply: (to, incoming, text) => this.#reply(to, incoming, text),
      bury: (incoming, why) => {
        const options = { ...deadProperties(incoming, why), persistent: true };
        const content = Buffer.from(incoming.bodyText, 'utf8');
        return this.#deliver(NAMES.dead, { exchange: NAMES.dead, routingKey: '', content, options });
      },
      consumeCasts: (queue, consuming) =>
        this.#forgotten.consume(queue, consuming, (reason) => this.#consuming.drop(reason)),
      connection: () => this.#consuming.connection,
      onUp: () => this.#heard(),
    });
    const attached = this.#attaching.then(() => this.#attach(what.topic, consumer));
    this.#attaching = attached.catch(() => undefined);
    await attached;
    this.#consumers.add(consumer);
    return {
      close: async () => {
        this.#consumers.delete(consumer);
        await consumer.close();
      },
    };
  }

  /**
   * One at a time, and again when the connection went: RabbitMQ (3.10 at least) closes it with 541 when a quorum queue is consumed
   * while it is being made for somebody else, as when several processes of a new cloud start at once, or is not ready after a start.
   */
  async #attach(topic: string, consumer: RabbitConsumer): Promise<void> {
    const { clock } = this.#options;
    const startMs = clock.monotonicMs();
    for (let waitMs = ATTACH_WAIT_MS; ; waitMs = Math.min(waitMs * 2, ATTACH_MAX_WAIT_MS)) {
      try {
        const connection = this.#consuming.connection;
        if (connection === undefined) throw unavailable(this.#consuming.problem);
        await consumer.attach(connection);
        return;
      } catch (error) {
        const problem = topicProblem(topic, this.#options, error);
        const over = clock.monotonicMs() - startMs > ATTACH_MS || this.#closing !== undefined;
        if (problem.code !== 'Unavailable' || over) throw problem;
        await clock.sleep(waitMs);
      }
    }
  }

  async #reply(to: { replyTo: string; correlationId: string }, incoming: Fixed, text: string): Promise<void> {
    const { topic, type } = incoming;
    const { correlationId, replyTo } = to;
    const options = {
      ...properties({ ...incoming, messageId: `${this.#fixed(topic, type).messageId}` }),
      correlationId,
    };
    const message = { exchange: '', routingKey: replyTo, content: Buffer.from(text, 'utf8') };
    try {
      const sent = await this.#sends.send({ ...message, options: { ...options, mandatory: true } });
      if (sent !== 'taken') this.#options.logger.debug('nobody waits for an answer any more', { topic, type });
    } catch (error) {
      this.#options.logger.warn('an answer could not be sent', { topic, type, error: errorText(error) });
    }
  }
}

function unavailable(problem: string | undefined): CloudError {
  return new CloudError('Unavailable', `RabbitMQ can't be reached: ${problem ?? 'no connection'}`);
}
