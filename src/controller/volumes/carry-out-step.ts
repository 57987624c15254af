import type { SnapshotRecord } from '../../domain/snapshot.ts';
import type { VolumeRecord } from '../../domain/volume.ts';
import type { AttachSpec, VolumeBackend } from '../../ports/volume-backend.ts';
import type { SnapshotStep, VolumeStep } from './volume-steps.ts';

/** What each step asks of the backend. */
const VOLUME_CALLS: Readonly<Record<VolumeStep, (backend: VolumeBackend, record: VolumeRecord) => Promise<void>>> = {
  create: (backend, { id, sizeGib, zone, snapshotId }) =>
    backend.ensureVolume({ volumeId: id, sizeGib, zone, ...(snapshotId === undefined ? {} : { snapshotId }) }),
  attach: async (backend, record) => {
    const spec = attachSpec(record);
    if (spec !== undefined) await backend.attach(spec);
  },
  detach: async (backend, record) => {
    const spec = attachSpec(record);
    if (spec !== undefined) await backend.detach(spec, { force: record.attachment?.force === true });
  },
  grow: (backend, { id, sizeGib }) => backend.grow(id, sizeGib),
  remove: (backend, { id }) => backend.removeVolume(id),
};

export function carryOutVolumeStep(backend: VolumeBackend, record: VolumeRecord, step: VolumeStep): Promise<void> {
  return VOLUME_CALLS[step](backend, record);
}

export function carryOutSnapshotStep(
  backend: VolumeBackend,
  { id, volumeId, copyOf }: SnapshotRecord,
  step: SnapshotStep,
): Promise<void> {
  if (step === 'remove') return backend.removeSnapshot(id);
  return backend.ensureSnapshot({
    snapshotId: id,
    from: copyOf === undefined ? { volumeId } : { snapshotId: copyOf },
  });
}

function attachSpec({ id, attachment }: VolumeRecord): AttachSpec | undefined {
  if (attachment === undefined) return undefined;
  const { instanceId, hostId, device } = attachment;
  return { volumeId: id, instanceId, hostId, device };
}
