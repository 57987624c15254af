import { SystemClock } from '../../../../../src/base/clock.ts';
import { createSimulatedHosts } from '../../../../../src/workers/drivers/simulated/create-simulated-hosts.ts';
import { hostClaimContract } from '../../../../contract/host-claim.ts';

hostClaimContract('[sim]', () => {
  const world = createSimulatedHosts({ clock: new SystemClock() });
  const open = world.openDrivers({ head: () => Promise.reject(new Error('no blobs')) });
  return Promise.resolve({
    async owner() {
      const drivers = await open({ kind: 'simulated', name: 'node1' });
      return { claim: drivers.claim, change: () => drivers.images.removeInstanceDir('i-404') };
    },
    close: () => Promise.resolve(),
  });
});
