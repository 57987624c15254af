import { errorText, isCode } from '../../base/errors.ts';
import { KeyedQueue } from '../../base/keyed-queue.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { SnapshotRecord } from '../../domain/snapshot.ts';
import type { InstanceVolumesRecord, Retry, VolumeRecord } from '../../domain/volume.ts';
import { snapshotAmounts, volumeAmounts } from '../../domain/usage.ts';
import type { VolumeBackend } from '../../ports/volume-backend.ts';
import type { ControllerContext } from '../controller-context.ts';
import { isHeld } from '../hosts/held.ts';
import { finishTarget } from '../operations/operation-record.ts';
import type { Draft } from '../state/draft.ts';
import { transact } from '../state/draft.ts';
import { dropTags } from '../tags/resource-tags.ts';
import { releaseQuota } from '../users/quota.ts';
import { carryOutSnapshotStep, carryOutVolumeStep } from './carry-out-step.ts';
import { freeSlot, freeSource } from './volume-uses.ts';
import type { StepEnd, StepResult } from './volume-steps.ts';
import {
  afterSnapshotStep,
  afterVolumeStep,
  nextSnapshotStep,
  nextVolumeStep,
  volumeStepName,
} from './volume-steps.ts';

/** Every volume and snapshot is looked at this often, whatever was missed. */
const SWEEP_MS = 30_000;
const CONCURRENCY = 16;

type Subject = VolumeRecord | SnapshotRecord;

/** What volumes and snapshots have in common for the loop. */
interface Kind<R extends Subject, S extends string> {
  readonly next: (record: R) => S | undefined;
  readonly nameOf: (record: R) => string | undefined;
  readonly carryOut: (backend: VolumeBackend, record: R, step: S) => Promise<void>;
  readonly after: (record: R, step: S, end: StepEnd) => StepResult<R>;
  readonly amounts: (record: R) => Parameters<typeof releaseQuota>[2];
}

const VOLUME: Kind<VolumeRecord, NonNullable<ReturnType<typeof nextVolumeStep>>> = {
  next: nextVolumeStep,
  nameOf: volumeStepName,
  carryOut: carryOutVolumeStep,
  after: afterVolumeStep,
  amounts: volumeAmounts,
};

const SNAPSHOT: Kind<SnapshotRecord, NonNullable<ReturnType<typeof nextSnapshotStep>>> = {
  next: nextSnapshotStep,
  nameOf: nextSnapshotStep,
  carryOut: carryOutSnapshotStep,
  after: afterSnapshotStep,
  amounts: () => snapshotAmounts,
};

/**
 * Brings volumes and snapshots to what their records say, by the backend: level-triggered, one step of a record at a time, each in ensure form, so that a
 * step whose end was lost with its process is simply done again. The first controller alone does it; the others have nothing to do with volumes.
 */
export class VolumeLoop {
  readonly #context: ControllerContext;
  readonly #queue: KeyedQueue;
  #watches: { close(): void }[] = [];
  #sweep: { cancel(): void } | undefined;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#queue = new KeyedQueue({
      clock: context.clock,
      concurrency: CONCURRENCY,
      run: (key) => this.#reconcile(key),
      onError: (key, error) => {
        if (isCode(error, 'StateHeld')) return;
        if (!isCode(error, 'Unavailable', 'Timeout', 'Conflict', 'StoragePoisoned')) {
          context.logger.error('a volume was not looked after', { key, error: errorText(error) });
        }
        this.#queue.addAfter(key, 1000);
      },
    });
  }

  start(): void {
    const { store, clock, volumes } = this.#context;
    if (volumes === undefined) return;
    const from = store.rev + 1;
    const wake = (prefix: string): { close(): void } =>
      store.watch(prefix, from, (change) => {
        for (const { key } of change.ops) this.#queue.add(key);
      });
    const started = store.watch(PREFIX.instance, from, (change) => {
      for (const { key } of change.ops) this.#wakeVolumesOf(key.slice(PREFIX.instance.length));
    });
    // Another one may have been the first, or nobody was while the cloud was held.
    const all = (prefix: string): { close(): void } => store.watch(prefix, from, () => this.#lookAtAll());
    this.#watches = [
      ...[wake(PREFIX.volume), wake(PREFIX.snapshot), started],
      ...[all(PREFIX.aliveControllers), all(KEYS.held)],
    ];
    this.#sweep = clock.every(SWEEP_MS, () => this.#lookAtAll(), { unref: true });
    this.#lookAtAll();
  }

  async close(): Promise<void> {
    for (const watch of this.#watches.splice(0)) watch.close();
    this.#sweep?.cancel();
    await this.#queue.close();
  }

  #lookAtAll(): void {
    const { store } = this.#context;
    for (const prefix of [PREFIX.volume, PREFIX.snapshot])
      for (const { key } of store.range(prefix)) this.#queue.add(key);
  }

  /** The instance that they were waiting for may run now. */
  #wakeVolumesOf(instanceId: string): void {
    const known = this.#context.store.get<InstanceVolumesRecord>(KEYS.instanceVolumes(instanceId))?.value;
    for (const volumeId of Object.values(known?.volumes ?? {})) this.#queue.add(KEYS.volume(volumeId));
  }

  #reconcile(key: string): Promise<void> {
    return key.startsWith(PREFIX.volume) ? this.#step(key, VOLUME) : this.#step(key, SNAPSHOT);
  }

  async #step<R extends Subject, S extends string>(key: string, kind: Kind<R, S>): Promise<void> {
    const { store, ownership, volumes: backend, clock } = this.#context;
    const record = store.get<R>(key)?.value;
    if (record === undefined || backend === undefined || isHeld(store)) return;
    if (ownership.controllers()[0] !== ownership.controllerId) return;
    const step = kind.next(record);
    if (step === undefined || (step === 'attach' && this.#isStarting(record))) return;
    const waitMs = waitOf(record.retry, step, clock.nowMs());
    if (waitMs > 0) {
      this.#queue.addAfter(key, waitMs);
      return;
    }
    const startedAtMs = clock.nowMs();
    const error = await kind.carryOut(backend, record, step).then(() => undefined, errorText);
    await transact(store, (draft) => {
      const now = draft.get<R>(key);
      // It was meant for another intent, which is served next.
      if (now === undefined || kind.nameOf(now) !== kind.nameOf(record)) return;
      const { maxAttempts } = this.#context.policy;
      const end = { nowMs: clock.nowMs(), maxAttempts, ...(error === undefined ? {} : { error }) };
      write(draft, { key, kind, record: now, step, startedAtMs, end });
    });
    // What a lost race left for later, or the next step.
    this.#queue.addAfter(key, 0);
  }

  /** Its instance has never run: there is nothing yet that it could be attached to. */
  #isStarting(record: Subject): boolean {
    const instanceId = 'attachment' in record ? record.attachment?.instanceId : undefined;
    if (instanceId === undefined) return false;
    const instance = this.#context.store.get<InstanceRecord>(KEYS.instance(instanceId))?.value;
    return instance !== undefined && instance.launchedAtMs === undefined;
  }
}

function waitOf(retry: Retry | undefined, step: string, nowMs: number): number {
  return retry?.step === step ? retry.notBeforeMs - nowMs : 0;
}

interface Ended<R extends Subject, S extends string> {
  readonly key: string;
  readonly kind: Kind<R, S>;
  readonly record: R;
  readonly step: S;
  readonly startedAtMs: number;
  readonly end: StepEnd;
}

/** All that the end of a step changes, in one transaction. */
function write<R extends Subject, S extends string>(draft: Draft, ended: Ended<R, S>): void {
  const { key, kind, record, step, startedAtMs, end } = ended;
  const result = kind.after(record, step, end);
  if (result.next !== undefined) draft.put(key, result.next);
  else {
    draft.del(key);
    dropTags(draft, record.id);
    releaseQuota(draft, record, kind.amounts(record));
  }
  if (result.releaseGib !== undefined) releaseQuota(draft, record, { gigabytes: result.releaseGib });
  if (result.detached === true) freeSlot(draft, record as VolumeRecord);
  if (result.sourceFree === true) freeSource(draft, record);
  const { operationId, error } = result.finished ?? {};
  if (operationId === undefined) return;
  const steps = [
    {
      target: record.id,
      step,
      atMs: startedAtMs,
      tookMs: end.nowMs - startedAtMs,
      ...(end.error && { error: end.error }),
    },
  ];
  const failure = error === undefined ? {} : { error: { code: 'HostError', message: error } };
  finishTarget(draft, operationId, record.id, end.nowMs, { ...failure, steps });
}
