import type { Json } from '../base/json.ts';

/** Who and what a message is about; carried beside the body. */
export interface Envelope {
  readonly messageId: string;
  /** How often it was delivered before (0 the first time). */
  readonly deliveries: number;
  readonly sentAtMs: number;
  /** For a call: the moment (wall clock) after which nobody waits for the answer. */
  readonly deadlineMs?: number;
}

export type Handler = (body: Json, envelope: Envelope) => Promise<Json | undefined>;

/** A closed table: message type -> handler. A type that is not in it is refused, never looked up by name elsewhere. */
export type HandlerTable = Readonly<Record<string, Handler>>;

export interface ServeOptions {
  /** How many messages are handled side by side. */
  readonly prefetch?: number;
}

export interface Subscription {
  /** Stops taking new messages and resolves when those under way have ended. */
  close(): Promise<void>;
}

/**
 * Messages between parts. THE BUS IS A HINT: any message may be lost, doubled, late or out of order.
 * Bodies are JSON and are copied on the way, also in process.
 */
export interface Bus {
  /**
   * Sends and waits for the answer. Errors: the handler's own CloudError; 'Unavailable' when it was not delivered (nobody serves the topic, no
   * connection); 'Timeout' when the outcome is unknown: the deadline passed, or the connection or the callee went in between.
   */
  call(topic: string, type: string, body: Json, options: { timeoutMs: number }): Promise<Json | undefined>;
  /**
   * Resolves when the bus has taken the message over. It is delivered again until a handler resolves, at most `BUS_LIMITS.deliveries`
   * times, then kept among the dead letters. 'Unavailable' when the topic has no queue, or there is no connection; 'RequestLimitExceeded' when
   * the queue is full; 'Timeout' when the bus did not say whether it has it.
   */
  cast(topic: string, type: string, body: Json): Promise<void>;
  /** To every subscriber of the topic, once each, without acknowledgement. */
  fanout(topic: string, type: string, body: Json): Promise<void>;
  /** Takes calls and casts of the topic; several servers of one topic share its messages. */
  serve(topic: string, handlers: HandlerTable, options?: ServeOptions): Promise<Subscription>;
  /** Takes the fanouts of the topic. */
  subscribe(topic: string, handlers: HandlerTable): Promise<Subscription>;
  deadLetters(): Promise<DeadLetter[]>;
  health(): BusHealth;
  close(): Promise<void>;
}

export interface BusHealth {
  readonly engine: 'memory' | 'rabbitmq';
  readonly ok: boolean;
  /** Why not ok. */
  readonly problem?: string;
  /** By the monotonic clock: since then everything that was sent to this process could arrive. Silence before it means nothing. */
  readonly listeningSinceMs: number;
  /** Messages that wait in this process, and those being handled here. */
  readonly waiting: number;
  readonly handling: number;
}

export interface DeadLetter {
  readonly topic: string;
  readonly type: string;
  readonly messageId: string;
  readonly deliveries: number;
  readonly reason: string;
}

export const BUS_LIMITS = {
  deliveries: 5,
  queueLength: 100_000,
  prefetch: 16,
  redeliveryDelayMs: 1000,
  /** Of a handler; one of a call has as long as its caller waits, where that is longer. */
  ackTimeoutMs: 60_000,
  deadLetters: 1000,
} as const;
