import amqp from 'amqplib';
import { openRabbitBus, type RabbitBusOptions } from '../../src/adapters/bus/rabbit-bus.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SystemRandom } from '../../src/base/random.ts';
import type { Bus } from '../../src/ports/bus.ts';
import type { PrivateRabbit } from '../support/private-rabbit.ts';
import { type BusSubject, CONTRACT_LIMITS } from './bus-probe.ts';

/** A busy machine takes its time over ten confirmed casts; no handler of the suite may be given up meanwhile. */
const RABBIT_LIMITS = { ...CONTRACT_LIMITS, ackTimeoutMs: 2000 };

/** How to reach the broker as the user of the cloud. */
export function accessTo(rabbit: PrivateRabbit): RabbitBusOptions {
  return {
    endpoints: [rabbit.url],
    vhost: rabbit.vhost,
    user: rabbit.user,
    password: rabbit.password,
    tls: { ca: rabbit.authority.ca },
    name: 'test',
    ...{ clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger, limits: RABBIT_LIMITS },
  };
}

export function openOn(rabbit: PrivateRabbit, other: Partial<RabbitBusOptions> = {}): Promise<Bus> {
  return openRabbitBus({ ...accessTo(rabbit), ...other });
}

/** Queues that the tests leave and that do not go by themselves. */
const LASTING = ['cast.t.v1', 'cast.feed.v1'];

export async function emptyQueues(rabbit: PrivateRabbit): Promise<void> {
  const { vhost, port, user: username, password } = rabbit;
  const connection = await amqp.connect({ vhost, port, username, password, hostname: '127.0.0.1' }, { noDelay: true });
  const channel = await connection.createChannel();
  for (const queue of LASTING) await channel.deleteQueue(queue);
  await channel.purgeQueue('dead.v1');
  await connection.close();
}

/** Two processes on one broker. */
export async function rabbitSubject(rabbit: PrivateRabbit, other: Partial<RabbitBusOptions> = {}): Promise<BusSubject> {
  const [client, server] = await Promise.all([openOn(rabbit, other), openOn(rabbit, other)]);
  return {
    client,
    server,
    close: async () => {
      await Promise.all([client.close(), server.close()]);
      await emptyQueues(rabbit);
    },
  };
}
