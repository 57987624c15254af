import type { ConsumeMessage, Message, Options } from 'amqplib';
import type { DeadLetter, Envelope } from '../../ports/bus.ts';
import { BUS_LIMITS } from '../../ports/bus.ts';

/** What travels beside a body, in AMQP's own properties where there is one. */
export interface Fixed {
  readonly messageId: string;
  readonly topic: string;
  readonly type: string;
  readonly sentAtMs: number;
  readonly deadlineMs?: number;
}

export interface Incoming extends Fixed {
  readonly envelope: Envelope;
  readonly bodyText: string;
}

const HEADER = {
  topic: 'topic',
  sentAtMs: 'sent-at-ms',
  deadlineMs: 'deadline-ms',
  deliveries: 'deliveries',
  reason: 'reason',
  /** Of quorum queues: how often it was given back. Absent the first time. */
  brokerCount: 'x-delivery-count',
} as const;

export function properties(fixed: Fixed): Options.Publish & { messageId: string; headers: Record<string, string> } {
  const { messageId, topic, type, sentAtMs, deadlineMs } = fixed;
  return {
    messageId,
    type,
    contentType: 'application/json',
    headers: {
      [HEADER.topic]: topic,
      [HEADER.sentAtMs]: String(sentAtMs),
      ...(deadlineMs !== undefined && { [HEADER.deadlineMs]: String(deadlineMs) }),
    },
  };
}

export function readMessage(topic: string, message: ConsumeMessage): Incoming {
  const { headers = {}, messageId, type } = message.properties;
  const deadlineMs = headers[HEADER.deadlineMs] as unknown;
  const fixed = {
    messageId: text(messageId),
    topic,
    type: text(type),
    sentAtMs: whole(headers[HEADER.sentAtMs]),
    ...(deadlineMs !== undefined && { deadlineMs: whole(deadlineMs) }),
  };
  const envelope: Envelope = {
    messageId: fixed.messageId,
    deliveries: whole(headers[HEADER.brokerCount]),
    sentAtMs: fixed.sentAtMs,
    ...(fixed.deadlineMs !== undefined && { deadlineMs: fixed.deadlineMs }),
  };
  return { ...fixed, envelope, bodyText: message.content.toString('utf8') };
}

/** The properties of a message that is given up, with why. */
export function deadProperties(
  incoming: Incoming,
  why: { readonly deliveries: number; readonly reason: string },
): ReturnType<typeof properties> {
  const plain = properties(incoming);
  const { deliveries, reason } = why;
  const headers = { ...plain.headers, [HEADER.deliveries]: String(deliveries), [HEADER.reason]: reason };
  return { ...plain, headers };
}

/** Also of one that the broker gave up itself, because process after process went away with it. */
export function readDeadLetter({ properties: { headers = {}, messageId, type } }: Message): DeadLetter {
  const reason = headers[HEADER.reason] as unknown;
  const deliveries = headers[HEADER.deliveries] as unknown;
  return {
    topic: text(headers[HEADER.topic]),
    type: text(type),
    messageId: text(messageId),
    deliveries: deliveries === undefined ? BUS_LIMITS.deliveries : whole(deliveries),
    reason: reason === undefined ? 'delivery limit; whoever took it went away each time' : text(reason),
  };
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function whole(value: unknown): number {
  const number = Number(value ?? 0);
  return Number.isSafeInteger(number) ? number : 0;
}
