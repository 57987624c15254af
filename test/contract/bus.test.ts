import { createMemoryBus } from '../../src/adapters/bus/memory-bus.ts';
import { SystemClock } from '../../src/base/clock.ts';
import { SystemRandom } from '../../src/base/random.ts';
import { CONTRACT_LIMITS } from './bus-probe.ts';
import { busContract } from './bus.ts';

busContract('memory', async () => {
  const bus = createMemoryBus({ clock: new SystemClock(), random: new SystemRandom(), limits: CONTRACT_LIMITS });
  return { client: bus, server: bus, close: () => bus.close() };
});
