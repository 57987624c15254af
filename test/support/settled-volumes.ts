import { KEYS, PREFIX } from '../../src/domain/keys.ts';
import type { SnapshotRecord } from '../../src/domain/snapshot.ts';
import type { VolumeRecord } from '../../src/domain/volume.ts';
import { nextSnapshotStep, nextVolumeStep } from '../../src/controller/volumes/volume-steps.ts';
import type { SimCloud } from './sim-cloud.ts';
import { until } from './until.ts';

export function volumeRecord(sim: SimCloud, volumeId: string): VolumeRecord | undefined {
  return sim.store.get<VolumeRecord>(KEYS.volume(volumeId))?.value;
}

/** Nothing is to be done for any volume or snapshot. */
export async function volumesSettled(sim: SimCloud): Promise<void> {
  await until(
    () =>
      sim.store.range<VolumeRecord>(PREFIX.volume).every(({ value }) => nextVolumeStep(value) === undefined) &&
      sim.store.range<SnapshotRecord>(PREFIX.snapshot).every(({ value }) => nextSnapshotStep(value) === undefined),
    { what: 'volumes and snapshots are as they should be', everyMs: 5 },
  );
}
