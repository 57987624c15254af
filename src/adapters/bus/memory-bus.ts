import type { Clock } from '../../base/clock.ts';
import type { CloudError } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { type Logger, silentLogger } from '../../base/logger.ts';
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
import { type BusFaults, carry, type Hop } from './bus-faults.ts';
import { deadReason, full, late, nobody, parseReply, replyText, shut, unanswered } from './bus-wire.ts';
import { MemoryQueue, type Message, type Outcome } from './memory-queue.ts';

export type BusLimits = { readonly [K in keyof typeof BUS_LIMITS]: number };

export interface MemoryBusOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger?: Logger;
  readonly faults?: BusFaults;
  /** For tests; what is not given is BUS_LIMITS. */
  readonly limits?: Partial<BusLimits>;
}

interface Topic {
  readonly queue: MemoryQueue;
  /** Casts that were taken over and have not ended: waiting, being handled, or waiting for another try. */
  held: number;
}

interface PendingCall {
  readonly topic: string;
  settle(result: { answer: Json | undefined } | { error: CloudError }): void;
}

/**
 * The bus inside one process: what parts of an all-in-one or embedded novactl send each other, and the reference for every other
 * adapter's contract. It forgets everything with the process, which the design allows: the bus is a hint.
 */
export function createMemoryBus(options: MemoryBusOptions): Bus {
  return new MemoryBus(options);
}

class MemoryBus implements Bus {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #limits: BusLimits;
  readonly #carrier: { clock: Clock; random: Random; faults: BusFaults | undefined };
  readonly #topics = new Map<string, Topic>();
  readonly #subscribers = new Map<string, Set<MemoryQueue>>();
  readonly #calls = new Map<string, PendingCall>();
  /** By message id: the newest BUS_LIMITS.deadLetters. */
  readonly #dead = new Map<string, DeadLetter>();
  readonly #name: string;
  readonly #sinceMs: number;
  #sequence = 0;
  #closing: Promise<void> | undefined;

  constructor({ clock, random, logger = silentLogger, faults, limits = {} }: MemoryBusOptions) {
    this.#clock = clock;
    this.#logger = logger;
    this.#limits = { ...BUS_LIMITS, ...limits };
    this.#carrier = { clock, random, faults };
    this.#name = randomHex(random, 12);
    this.#sinceMs = clock.monotonicMs();
  }

  async call(topic: string, type: string, body: Json, { timeoutMs }: { timeoutMs: number }): Promise<Json | undefined> {
    this.#mustBeOpen();
    const queue = this.#topics.get(topic)?.queue;
    if (queue?.served !== true) throw nobody(topic);
    if (queue.waiting >= this.#limits.queueLength) throw full(topic);
    const sentAtMs = this.#clock.nowMs();
    const bodyText = strictJson(body, type);
    const messageId = this.#newId();
    return new Promise((resolve, reject) => {
      const timer = this.#clock.after(timeoutMs, () => pending.settle({ error: late(topic, type, timeoutMs) }));
      const pending: PendingCall = {
        topic,
        settle: (result) => {
          if (!this.#calls.delete(messageId)) return;
          timer.cancel();
          if ('error' in result) reject(result.error);
          else resolve(result.answer);
        },
      };
      this.#calls.set(messageId, pending);
      const deliver = (): void => {
        queue.push({
          ...{ messageId, type, bodyText, sentAtMs, deadlineMs: sentAtMs + timeoutMs, deliveries: 0 },
          wanted: () => this.#calls.has(messageId),
          done: (outcome) => this.#reply({ kind: 'reply', topic, type }, messageId, outcome),
        });
      };
      carry(this.#carrier, { kind: 'call', topic, type }, deliver);
    });
  }

  async cast(topic: string, type: string, body: Json): Promise<void> {
    this.#mustBeOpen();
    const target = this.#topics.get(topic);
    if (target === undefined) throw nobody(topic);
    if (target.held >= this.#limits.queueLength) throw full(topic);
    const fixed = { messageId: this.#newId(), type, bodyText: strictJson(body, type), sentAtMs: this.#clock.nowMs() };
    carry(this.#carrier, { kind: 'cast', topic, type }, () => {
      const message: Message = {
        ...fixed,
        deliveries: 0,
        done: (outcome) => this.#afterCast(topic, target, message, outcome),
      };
      target.held += 1;
      target.queue.push(message);
    });
  }

  async fanout(topic: string, type: string, body: Json): Promise<void> {
    this.#mustBeOpen();
    const fixed = { messageId: this.#newId(), type, bodyText: strictJson(body, type), sentAtMs: this.#clock.nowMs() };
    for (const queue of this.#subscribers.get(topic) ?? []) {
      carry(this.#carrier, { kind: 'fanout', topic, type }, () => {
        if (queue.waiting >= this.#limits.queueLength) {
          this.#logger.warn('a subscriber is too slow; a message to it is dropped', { topic, type });
          return;
        }
        queue.push({ ...fixed, deliveries: 0, done: (outcome) => this.#afterFanout(topic, type, outcome) });
      });
    }
  }

  async serve(topic: string, handlers: HandlerTable, options: ServeOptions = {}): Promise<Subscription> {
    this.#mustBeOpen();
    return this.#topic(topic).queue.serve(handlers, options.prefetch ?? this.#limits.prefetch);
  }

  async subscribe(topic: string, handlers: HandlerTable): Promise<Subscription> {
    this.#mustBeOpen();
    const queue = new MemoryQueue({ clock: this.#clock, ackTimeoutMs: this.#limits.ackTimeoutMs });
    // One at a time, so that a subscriber sees the messages in their order.
    const subscription = queue.serve(handlers, 1);
    const queues = this.#subscribers.get(topic) ?? new Set();
    this.#subscribers.set(topic, queues.add(queue));
    return {
      close: () => {
        queues.delete(queue);
        return subscription.close();
      },
    };
  }

  health(): BusHealth {
    let waiting = 0;
    let held = 0;
    for (const topic of this.#topics.values()) {
      waiting += topic.queue.waiting;
      held += topic.held;
    }
    const handling = Math.max(0, held - waiting);
    const closed = this.#closing === undefined ? {} : { problem: 'the bus is closed' };
    return {
      engine: 'memory',
      ok: this.#closing === undefined,
      ...closed,
      listeningSinceMs: this.#sinceMs,
      waiting,
      handling,
    };
  }

  async deadLetters(): Promise<DeadLetter[]> {
    return [...this.#dead.values()];
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const queues = [...this.#topics.values()].map(({ queue }) => queue);
    for (const subscribers of this.#subscribers.values()) queues.push(...subscribers);
    await Promise.all(queues.map((queue) => queue.close()));
    // Answers of the last handlers are a turn behind them.
    await new Promise<void>((resolve) => this.#clock.defer(resolve));
    for (const call of [...this.#calls.values()]) call.settle({ error: unanswered(call.topic) });
  }

  #mustBeOpen(): void {
    if (this.#closing !== undefined) throw shut();
  }

  #newId(): string {
    this.#sequence += 1;
    return `${this.#name}-${this.#sequence}`;
  }

  #topic(name: string): Topic {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const queue: MemoryQueue = new MemoryQueue({
      clock: this.#clock,
      ackTimeoutMs: this.#limits.ackTimeoutMs,
      // A cast waits for the next server; a call that no handler saw can be answered, and truthfully.
      onAbandoned: () => {
        for (const call of queue.remove((message) => message.deadlineMs !== undefined)) {
          call.done({ kind: 'failed', error: nobody(name) });
        }
      },
    });
    const topic: Topic = { queue, held: 0 };
    this.#topics.set(name, topic);
    return topic;
  }

  /** The answer travels as text too, in a turn of its own. */
  #reply(hop: Hop, messageId: string, outcome: Outcome): void {
    if (outcome.kind === 'ack-timeout') return;
    const text = replyText(hop, outcome);
    carry(this.#carrier, hop, () => {
      this.#clock.defer(() => this.#calls.get(messageId)?.settle(parseReply(text)));
    });
  }

  #afterCast(topic: string, target: Topic, message: Message, outcome: Outcome): void {
    const final =
      outcome.kind === 'ok' || outcome.kind === 'unknown-type' || message.deliveries >= this.#limits.deliveries;
    if (!final) {
      if (outcome.kind === 'failed')
        this.#logger.debug('a cast failed and will be delivered again', {
          topic,
          type: message.type,
          error: outcome.error.message,
        });
      this.#clock.after(this.#limits.redeliveryDelayMs, () => target.queue.push(message), { unref: true });
      return;
    }
    target.held -= 1;
    if (outcome.kind === 'ok') return;
    const reason = deadReason(message.type, outcome);
    this.#logger.warn('a message was given up', { topic, type: message.type, reason });
    this.#dead.set(message.messageId, {
      topic,
      type: message.type,
      messageId: message.messageId,
      deliveries: message.deliveries,
      reason,
    });
    for (const id of this.#dead.keys()) {
      if (this.#dead.size <= this.#limits.deadLetters) break;
      this.#dead.delete(id);
    }
  }

  #afterFanout(topic: string, type: string, outcome: Outcome): void {
    if (outcome.kind === 'failed')
      this.#logger.warn('a subscriber failed', { topic, type, error: outcome.error.message });
  }
}
