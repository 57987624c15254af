import type { Channel, ChannelModel } from 'amqplib';
import { BUS_LIMITS } from '../../ports/bus.ts';

/**
 * Names and arguments of all that is declared in the virtual host. A queue that stands can't be declared with other arguments: whoever
 * changes one here raises the version in its name. What an administrator may tune is a policy and not here (packaging/rabbitmq).
 */
export const NAMES = {
  callQueue: (topic: string): string => `call.${topic}.v1`,
  castQueue: (topic: string): string => `cast.${topic}.v1`,
  fanoutExchange: (topic: string): string => `fanout.${topic}.v1`,
  fanoutQueue: (topic: string, reader: string): string => `fanout.${topic}.${reader}`,
  /** Exchange and queue of one name. */
  dead: 'dead.v1',
  /** Is never declared: whoever may send there may send. */
  nowhere: 'call.nowhere.v1',
} as const;

/** A queue of casts that nobody consumed for so long goes, with what waits in it: its worker does not come back, or is told everything again. */
const CAST_EXPIRES_MS = 30 * 60_000;

/** RabbitMQ counts the deliveries after the first. */
const REDELIVERIES = BUS_LIMITS.deliveries - 1;

/** Reading dead letters gives them back each time, which counts; RabbitMQ 4 has a limit of 20 where none is declared. */
const READS = 1_000_000;

/** In memory and gone with its last consumer, so that a call which nobody serves comes back at once. */
export async function declareCallQueue(channel: Channel, topic: string): Promise<string> {
  const queue = NAMES.callQueue(topic);
  await channel.assertQueue(queue, {
    durable: false,
    autoDelete: true,
    arguments: { 'x-queue-type': 'classic', 'x-max-length': BUS_LIMITS.queueLength, 'x-overflow': 'reject-publish' },
  });
  return queue;
}

/** On disk of most servers of a RabbitMQ cluster before it is confirmed. */
export async function declareCastQueue(channel: Channel, topic: string): Promise<string> {
  const queue = NAMES.castQueue(topic);
  await channel.assertQueue(queue, {
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      'x-delivery-limit': REDELIVERIES,
      'x-dead-letter-exchange': NAMES.dead,
      'x-max-length': BUS_LIMITS.queueLength,
      'x-overflow': 'reject-publish',
      'x-expires': CAST_EXPIRES_MS,
    },
  });
  return queue;
}

/** For one reader, gone with its connection. Who reads too slowly loses the oldest. */
export async function declareFanoutQueue(channel: Channel, topic: string, reader: string): Promise<string> {
  const queue = NAMES.fanoutQueue(topic, reader);
  await declareFanoutExchange(channel, topic);
  await channel.assertQueue(queue, {
    durable: false,
    exclusive: true,
    autoDelete: true,
    arguments: { 'x-queue-type': 'classic', 'x-max-length': BUS_LIMITS.queueLength, 'x-overflow': 'drop-head' },
  });
  await channel.bindQueue(queue, NAMES.fanoutExchange(topic), '');
  return queue;
}

export async function declareFanoutExchange(channel: Channel, topic: string): Promise<void> {
  await channel.assertExchange(NAMES.fanoutExchange(topic), 'fanout', { durable: true });
}

export async function declareDeadLetters(channel: Channel): Promise<void> {
  await channel.assertExchange(NAMES.dead, 'fanout', { durable: true });
  await channel.assertQueue(NAMES.dead, {
    durable: true,
    arguments: {
      'x-queue-type': 'quorum',
      'x-max-length': BUS_LIMITS.deadLetters,
      'x-overflow': 'drop-head',
      'x-delivery-limit': READS,
    },
  });
  await channel.bindQueue(NAMES.dead, NAMES.dead, '');
}

/** A channel for one piece of work. What goes wrong on it closes it alone, and is thrown. */
export async function onChannel<T>(connection: ChannelModel, work: (channel: Channel) => Promise<T>): Promise<T> {
  const channel = await connection.createChannel();
  // The call under way is told too; without a listener it would end the process.
  channel.on('error', () => undefined);
  try {
    return await work(channel);
  } finally {
    // Not waited for: where the connection ends meanwhile the answer never comes.
    void channel.close().catch(() => undefined);
  }
}
