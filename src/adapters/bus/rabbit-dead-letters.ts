import type { ChannelModel } from 'amqplib';
import type { DeadLetter } from '../../ports/bus.ts';
import { readDeadLetter } from './rabbit-message.ts';
import { NAMES, onChannel } from './rabbit-topology.ts';

/**
 * Looks at the dead letters and leaves them there: they are fetched and given back. Two that look at the same time see a part each.
 */
export async function readDeadLetters(connection: ChannelModel, atMost: number): Promise<DeadLetter[]> {
  return onChannel(connection, async (channel) => {
    // By message: one that was buried and then not acknowledged is buried again.
    const letters = new Map<string, DeadLetter>();
    // The count of a quorum queue is behind what was just given back; fetching keeps the order of things.
    for (let left = atMost; left > 0; left -= 1) {
      const message = await channel.get(NAMES.dead);
      if (message === false) break;
      const letter = readDeadLetter(message);
      letters.set(letter.messageId, letter);
    }
    channel.nackAll(true);
    // Answered when they are on their way back, so that who looks next finds them.
    await channel.checkQueue(NAMES.dead);
    return [...letters.values()];
  });
}
