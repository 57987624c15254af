import { asCloudError, CloudError } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { strictJson } from '../../base/strict-json.ts';
import type { Hop } from './bus-faults.ts';
import type { Outcome } from './memory-queue.ts';

/** What is the same on every bus: answers as text, and the words of its refusals. */
export type Reply = { readonly answer: Json | undefined } | { readonly error: CloudError };

type Answered = Exclude<Outcome, { kind: 'ack-timeout' }>;

export function replyText(hop: Pick<Hop, 'topic' | 'type'>, outcome: Answered): string {
  try {
    if (outcome.kind === 'ok')
      return outcome.answer === undefined ? '{}' : `{"answer":${strictJson(outcome.answer, 'answer')}}`;
    const error = outcome.kind === 'failed' ? outcome.error : unknownType(hop);
    return JSON.stringify({ error: error.flatten() });
  } catch (error) {
    return JSON.stringify({ error: { code: 'InternalError', message: asCloudError(error).message } });
  }
}

export function parseReply(text: string): Reply {
  const reply = JSON.parse(text) as { answer?: Json; error?: ReturnType<CloudError['flatten']> };
  return reply.error === undefined ? { answer: reply.answer } : { error: CloudError.unflatten(reply.error) };
}

/** Why a message is given up after this outcome of its last delivery. */
export function deadReason(type: string, outcome: Exclude<Outcome, { kind: 'ok' }>): string {
  if (outcome.kind === 'unknown-type') return `nobody handles messages of type ${type}`;
  if (outcome.kind === 'ack-timeout') return 'delivery limit; the last handler did not end in time';
  return `delivery limit; the last handler failed: ${outcome.error.code}: ${outcome.error.message}`;
}

function unknownType({ topic, type }: Pick<Hop, 'topic' | 'type'>): CloudError {
  return new CloudError('InvalidAction', `${topic} does not handle messages of type ${type}`, {
    details: { topic, type },
  });
}

export function nobody(topic: string): CloudError {
  return new CloudError('Unavailable', `nobody serves ${topic}; it was not delivered, try again later`, {
    details: { topic },
  });
}

export function full(topic: string): CloudError {
  return new CloudError('RequestLimitExceeded', `the queue of ${topic} is full; try again later`, {
    details: { topic },
  });
}

export function late(topic: string, type: string, timeoutMs: number): CloudError {
  return new CloudError(
    'Timeout',
    `${topic} did not answer ${type} within ${timeoutMs} ms; whether it was done is unknown`,
    {
      details: { topic, type, timeoutMs },
    },
  );
}

export function shut(): CloudError {
  return new CloudError('Unavailable', 'the bus is closed');
}

/** For calls that wait when the bus is closed. */
export function unanswered(topic: string): CloudError {
  return new CloudError('Timeout', 'the bus was closed before the answer came; whether it was done is unknown', {
    details: { topic },
  });
}
