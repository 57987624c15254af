import type { Clock } from '../../../base/clock.ts';
import { CloudError } from '../../../base/errors.ts';
import { VOLUME_CAPABILITIES } from '../../../ports/volume-backend.ts';
import type {
  AttachSpec,
  SnapshotSpec,
  VolumeBackend,
  VolumeCapability,
  VolumeInventory,
  VolumeSpec,
} from '../../../ports/volume-backend.ts';

export type VolumeCall =
  'ensureVolume' | 'removeVolume' | 'attach' | 'detach' | 'grow' | 'ensureSnapshot' | 'removeSnapshot' | 'inventory';

export interface SimVolume {
  readonly volumeId: string;
  sizeGib: number;
  /** What is written on it. */
  data: string;
  at?: { readonly instanceId: string; readonly device: string };
}

/** fail: nothing happens and the call says so. lose: it happens, and the call says that the connection broke. hang: it does not answer until `release`. */
export interface VolumeFault {
  readonly call: VolumeCall;
  readonly how: 'fail' | 'lose' | 'hang';
  /** So many of the next calls; default 1. */
  readonly times?: number;
}

/** The volumes and snapshots of the simulated world, in memory: a backend, and what a test sees and does past the cloud. */
export class SimVolumes implements VolumeBackend {
  readonly capabilities: readonly VolumeCapability[] = VOLUME_CAPABILITIES;
  readonly volumes = new Map<string, SimVolume>();
  /** Snapshot -> what was written on the volume then. */
  readonly snapshots = new Map<string, string>();
  /** How often each call had an effect, or found it there. */
  readonly counts = new Map<VolumeCall, number>();
  /** Each call takes so long. */
  latencyMs = 0;
  readonly #clock: Clock;
  #faults: { fault: VolumeFault; left: number }[] = [];
  #hanging: (() => void)[] = [];

  readonly #disksLast: boolean;

  /** `disksLast`: what must be there is, empty where this world never saw it. */
  constructor(clock: Clock, { disksLast = false }: { readonly disksLast?: boolean | undefined } = {}) {
    this.#clock = clock;
    this.#disksLast = disksLast;
  }

  inject(fault: VolumeFault): void {
    this.#faults.push({ fault, left: fault.times ?? 1 });
  }

  /** What hangs goes on. */
  release(): void {
    for (const go of this.#hanging.splice(0)) go();
  }

  /** By the guest that has it. */
  write(volumeId: string, data: string): void {
    this.#need(volumeId).data = data;
  }

  ensureVolume({ volumeId, sizeGib, snapshotId }: VolumeSpec): Promise<void> {
    return this.#run('ensureVolume', () => {
      if (this.volumes.has(volumeId)) return;
      const data = snapshotId === undefined ? '' : this.#needSnapshot(snapshotId);
      this.volumes.set(volumeId, { volumeId, sizeGib, data });
    });
  }

  removeVolume(volumeId: string): Promise<void> {
    return this.#run('removeVolume', () => {
      const at = this.volumes.get(volumeId)?.at;
      if (at !== undefined) throw new CloudError('Busy', `${volumeId} is attached to ${at.instanceId}`);
      this.volumes.delete(volumeId);
    });
  }

  attach({ volumeId, instanceId, device }: AttachSpec): Promise<void> {
    return this.#run('attach', () => {
      const volume = this.#need(volumeId);
      if (volume.at !== undefined && volume.at.instanceId !== instanceId) {
        throw new CloudError('Busy', `${volumeId} is attached to ${volume.at.instanceId}`);
      }
      volume.at = { instanceId, device };
    });
  }

  detach({ volumeId, instanceId }: AttachSpec): Promise<void> {
    return this.#run('detach', () => {
      const volume = this.volumes.get(volumeId);
      if (volume?.at?.instanceId === instanceId) delete volume.at;
    });
  }

  grow(volumeId: string, sizeGib: number): Promise<void> {
    return this.#run('grow', () => {
      const volume = this.#need(volumeId);
      volume.sizeGib = Math.max(volume.sizeGib, sizeGib);
    });
  }

  ensureSnapshot({ snapshotId, from }: SnapshotSpec): Promise<void> {
    return this.#run('ensureSnapshot', () => {
      if (this.snapshots.has(snapshotId)) return;
      const data = 'volumeId' in from ? this.#need(from.volumeId).data : this.#needSnapshot(from.snapshotId);
      this.snapshots.set(snapshotId, data);
    });
  }

  removeSnapshot(snapshotId: string): Promise<void> {
    return this.#run('removeSnapshot', () => void this.snapshots.delete(snapshotId));
  }

  inventory(): Promise<VolumeInventory> {
    return this.#run('inventory', () => ({
      volumes: [...this.volumes.values()].map(({ volumeId, sizeGib, at }) => ({
        ...{ volumeId, sizeGib },
        ...(at === undefined ? {} : { instanceId: at.instanceId }),
      })),
      snapshots: [...this.snapshots.keys()],
    }));
  }

  async #run<T>(call: VolumeCall, effect: () => T): Promise<T> {
    const fault = this.#takeFault(call);
    if (this.latencyMs > 0) await this.#clock.sleep(this.latencyMs);
    else await Promise.resolve();
    if (fault === 'hang') await new Promise<void>((resolve) => this.#hanging.push(resolve));
    if (fault === 'fail') throw new CloudError('HostError', `injected failure of ${call}`);
    const result = effect();
    this.counts.set(call, (this.counts.get(call) ?? 0) + 1);
    if (fault === 'lose') throw new CloudError('Unavailable', `the connection broke during ${call}`);
    return result;
  }

  #takeFault(call: VolumeCall): VolumeFault['how'] | undefined {
    const entry = this.#faults.find(({ fault }) => fault.call === call);
    if (entry === undefined) return undefined;
    entry.left -= 1;
    if (entry.left === 0) this.#faults = this.#faults.filter((other) => other !== entry);
    return entry.fault.how;
  }

  #need(volumeId: string): SimVolume {
    const known = this.volumes.get(volumeId);
    if (known !== undefined) return known;
    if (!this.#disksLast) throw new CloudError('NotFound', `no volume ${volumeId} in the simulated store`);
    const volume: SimVolume = { volumeId, sizeGib: 0, data: '' };
    this.volumes.set(volumeId, volume);
    return volume;
  }

  #needSnapshot(snapshotId: string): string {
    const data = this.snapshots.get(snapshotId);
    if (data === undefined && this.#disksLast) return '';
    if (data === undefined) throw new CloudError('NotFound', `no snapshot ${snapshotId} in the simulated store`);
    return data;
  }
}
