import type { Channel } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { ForgottenQueues } from '../../../../src/adapters/bus/rabbit-forgotten.ts';
import { silentLogger } from '../../../../src/base/logger.ts';
import { ManualClock } from '../../../support/manual-clock.ts';

const QUEUE = 'cast.t.v1';
const never = new Promise<never>(() => undefined);

interface Given {
  readonly alone?: boolean;
  readonly messageCount?: number;
  readonly consumerCount?: number;
  /** How long the broker takes to count. */
  readonly countMs?: number;
}

/** A queue that took no consumer twice, for 10 s each time; `removed` says what was removed when it was declared the next time. */
async function afterTwo(given: Given, consuming: () => Promise<unknown> = () => never): Promise<string[]> {
  const { alone = true, messageCount = 0, consumerCount = 0, countMs = 5 } = given;
  const clock = new ManualClock();
  const removed: string[] = [];
  const queues = new ForgottenQueues({ clock, logger: silentLogger, vhost: 'novactl', alone });
  const channel = {
    assertQueue: async () => ({}),
    checkQueue: async () => {
      await clock.sleep(countMs);
      return { messageCount, consumerCount };
    },
    deleteQueue: async (queue: string) => void removed.push(queue),
  } as unknown as Channel;
  for (const _ of [1, 2]) {
    const ended = queues.consume(QUEUE, consuming(), () => undefined).catch(() => undefined);
    await clock.advance(10_000);
    await ended;
  }
  const declared = queues.declare(channel, 't');
  await clock.advance(1000);
  expect(await declared).toBe(QUEUE);
  return removed;
}

describe('a queue of casts that takes no consumer', () => {
  it('is removed and made again where it is certainly empty and of one server alone', async () => {
    expect(await afterTwo({})).toEqual([QUEUE]);
  });

  it.each<[string, Given]>([
    ['it has messages', { messageCount: 1 }],
    ['somebody consumes it', { consumerCount: 1 }],
    ['the broker may have made up the number', { countMs: 260 }],
    ['another server may have its content', { alone: false }],
  ])('is left alone when %s', async (_, given) => {
    expect(await afterTwo(given)).toEqual([]);
  });

  it('is left alone when it took one, or refused it with a reason', async () => {
    expect(await afterTwo({}, async () => 'taken')).toEqual([]);
    const refused = Object.assign(new Error('ACCESS-REFUSED'), { code: 403 });
    expect(await afterTwo({}, () => Promise.reject(refused))).toEqual([]);
  });

  it('is named, with what mends it where there are several servers, and its connection is given up', async () => {
    const clock = new ManualClock();
    const queues = new ForgottenQueues({ clock, logger: silentLogger, vhost: 'novactl', alone: false });
    const givenUp: string[] = [];
    const outcome = queues.consume(QUEUE, never, (reason) => void givenUp.push(reason));
    const told = expect(outcome).rejects.toMatchObject({
      code: 'Unavailable',
      message: expect.stringContaining(`rabbitmqctl delete_queue -p novactl ${QUEUE}`) as unknown,
    });
    await clock.advance(10_000);
    await told;
    expect(givenUp).toHaveLength(1);
  });
});
