import type { CollectedHost, CollectHost } from '../messages/worker.ts';
import type { HostDrivers } from '../ports/host-drivers.ts';

/**
 * What is left over on a host. Image files go only when every disk there is known: a disk of no record may stand on one of them, and a state that
 * was restored may know less than the host has.
 */
export async function collectHost(
  { captures, images, network }: Pick<HostDrivers, 'captures' | 'images' | 'network'>,
  { keepSha256, instanceIds, minAgeMs, remove }: CollectHost,
): Promise<CollectedHost> {
  const known = new Set(instanceIds);
  const unknownDirs = (await images.listInstanceDirs()).filter((id) => !known.has(id));
  const { bridges } = await network.inventory();
  const removed = unknownDirs.length > 0 ? [] : await images.collect({ keepSha256, minAgeMs, remove });
  const halfMade = (await captures?.leftovers({ remove })) ?? [];
  return { removed: [...removed, ...halfMade], unknownDirs, bridges: [...bridges] };
}
