import type { Clock, Timer } from '../../base/clock.ts';
import { type CloudError, asCloudError } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import type { Envelope, HandlerTable, Subscription } from '../../ports/bus.ts';

/** A message under way. The body is text: every handler parses its own copy. */
export interface Message {
  readonly messageId: string;
  readonly type: string;
  readonly bodyText: string;
  readonly sentAtMs: number;
  readonly deadlineMs?: number;
  /** How often it was delivered. */
  deliveries: number;
  /** False when nobody waits for the outcome any more. Absent: always wanted. */
  wanted?(): boolean;
  /** What to do with the outcome of one delivery. */
  done(outcome: Outcome): void;
}

export type Outcome =
  | { readonly kind: 'ok'; readonly answer: Json | undefined }
  | { readonly kind: 'failed'; readonly error: CloudError }
  /** No handler of that name. */
  | { readonly kind: 'unknown-type' }
  /** The handler took longer than the acknowledgement may, and of a call longer than its caller waits; it may still be running. */
  | { readonly kind: 'ack-timeout' };

interface Consumer {
  readonly handlers: HandlerTable;
  readonly prefetch: number;
  active: number;
  closed: boolean;
  drained: (() => void)[];
}

export interface QueueOptions {
  readonly clock: Clock;
  readonly ackTimeoutMs: number;
  /** The last consumer went. */
  readonly onAbandoned?: () => void;
}

/** Messages of one topic (or one subscriber) in order, handed out in turn to consumers with room, always in a later turn. */
export class MemoryQueue {
  readonly #options: QueueOptions;
  #ready: Message[] = [];
  /** Messages before this index were taken; cut off when they are the half. */
  #head = 0;
  #consumers: Consumer[] = [];
  #turn = 0;
  #scheduled = false;

  constructor(options: QueueOptions) {
    this.#options = options;
  }

  get waiting(): number {
    return this.#ready.length - this.#head;
  }

  get served(): boolean {
    return this.#consumers.length > 0;
  }

  push(message: Message): void {
    this.#ready.push(message);
    this.#schedule();
  }

  /** Takes waiting messages out that match. */
  remove(match: (message: Message) => boolean): Message[] {
    const waiting = this.#ready.slice(this.#head);
    this.#ready = waiting.filter((message) => !match(message));
    this.#head = 0;
    return waiting.filter(match);
  }

  serve(handlers: HandlerTable, prefetch: number): Subscription {
    const consumer: Consumer = { handlers, prefetch, active: 0, closed: false, drained: [] };
    this.#consumers.push(consumer);
    this.#schedule();
    return { close: () => this.#close(consumer) };
  }

  /** Closes every consumer; resolves when their handlers have ended, or have had their time. */
  async close(): Promise<void> {
    await Promise.all([...this.#consumers].map((consumer) => this.#close(consumer)));
  }

  async #close(consumer: Consumer): Promise<void> {
    if (!consumer.closed) {
      consumer.closed = true;
      this.#consumers = this.#consumers.filter((other) => other !== consumer);
      if (this.#consumers.length === 0) this.#options.onAbandoned?.();
    }
    if (consumer.active === 0) return;
    const { clock, ackTimeoutMs } = this.#options;
    // Who ends does not wait as long as callers do.
    await new Promise<void>((resolve) => {
      const late = clock.after(ackTimeoutMs, resolve);
      consumer.drained.push(() => {
        late.cancel();
        resolve();
      });
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#consumers.length === 0 || this.waiting === 0) return;
    this.#scheduled = true;
    this.#options.clock.defer(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }

  #pump(): void {
    // What a handler sends while it starts waits for the next turn: a delivery never runs inside another.
    let left = this.waiting;
    while (left > 0 && this.waiting > 0) {
      const consumer = this.#nextConsumer();
      if (consumer === undefined) return;
      left -= 1;
      this.#deliver(consumer, this.#take());
    }
    this.#schedule();
  }

  #take(): Message {
    const message = this.#ready[this.#head] as Message;
    this.#head += 1;
    if (this.#head > 64 && this.#head * 2 > this.#ready.length) {
      this.#ready = this.#ready.slice(this.#head);
      this.#head = 0;
    }
    return message;
  }

  #nextConsumer(): Consumer | undefined {
    for (let i = 0; i < this.#consumers.length; i += 1) {
      this.#turn = (this.#turn + 1) % this.#consumers.length;
      const consumer = this.#consumers[this.#turn];
      if (consumer !== undefined && consumer.active < consumer.prefetch) return consumer;
    }
    return undefined;
  }

  #deliver(consumer: Consumer, message: Message): void {
    const { clock, ackTimeoutMs } = this.#options;
    if (message.wanted?.() === false) return;
    const envelope: Envelope = {
      messageId: message.messageId,
      deliveries: message.deliveries,
      sentAtMs: message.sentAtMs,
      ...(message.deadlineMs === undefined ? {} : { deadlineMs: message.deadlineMs }),
    };
    message.deliveries += 1;
    if (!Object.hasOwn(consumer.handlers, message.type)) {
      message.done({ kind: 'unknown-type' });
      return;
    }
    consumer.active += 1;
    let running = true;
    const end = (outcome: Outcome): void => {
      if (!running) return;
      running = false;
      timer.cancel();
      consumer.active -= 1;
      message.done(outcome);
      if (consumer.active === 0) for (const resolve of consumer.drained.splice(0)) resolve();
      this.#schedule();
    };
    // As long as the caller of a call waits for its answer.
    const handlingMs = Math.max(ackTimeoutMs, (message.deadlineMs ?? 0) - message.sentAtMs);
    const timer: Timer = clock.after(handlingMs, () => end({ kind: 'ack-timeout' }), { unref: true });
    this.#handle(consumer, message, envelope).then(
      (answer) => end({ kind: 'ok', answer }),
      (error: unknown) => end({ kind: 'failed', error: asCloudError(error) }),
    );
  }

  async #handle(consumer: Consumer, message: Message, envelope: Envelope): Promise<Json | undefined> {
    const handler = consumer.handlers[message.type];
    return handler?.(JSON.parse(message.bodyText) as Json, envelope);
  }
}
