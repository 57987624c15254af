import { CloudError, errorText, isCode } from '../../base/errors.ts';
import { toJson } from '../../base/json.ts';
import { KeyedQueue } from '../../base/keyed-queue.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import type { AssignRecord, HostRecord } from '../../domain/records.ts';
import type { VolumeRecord } from '../../domain/volume.ts';
import type { Outcome } from '../../messages/worker.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { ControllerContext } from '../controller-context.ts';
import { forgetLostHost } from '../hosts/forget-host.ts';
import { isHeld, refuseHeld } from '../hosts/held.ts';
import { hostProblem } from '../hosts/host-problem.ts';
import { restoredAtMs } from '../maintenance/after-restore.ts';
import { finishTarget } from '../operations/operation-record.ts';
import type { Draft } from '../state/draft.ts';
import { transact } from '../state/draft.ts';
import { dropTags } from '../tags/resource-tags.ts';
import { launchWait } from '../volumes/launch-volumes.ts';
import { instanceCommand } from './instance-command.ts';
import { InstanceIndex } from './instance-index.ts';
import type { Decision } from './reconcile.ts';
import { reconcileInstance } from './reconcile.ts';
import { releaseClaims } from './release.ts';

/** A command without an outcome is sent again after this time: the bus may have lost it. */
const RESEND_MS = 15_000;
/** Every instance is looked at this often, whatever events came or were lost. */
const SWEEP_MS = 30_000;
/** In so many parts, so that a large cloud is not looked at in one burst. */
const SWEEP_PARTS = 10;
const CONCURRENCY = 64;

/** Drives every instance to what its record wants: a queue of instance ids in front of the pure reconcileInstance. */
export class InstanceLoop {
  readonly #context: ControllerContext;
  readonly #queue: KeyedQueue;
  /** Instance -> the command that was sent last. */
  readonly #sent = new Map<string, { commandId: string; epoch: number; atMs: number }>();
  readonly #index = new InstanceIndex();
  /** The last instance that the sweep has looked at. */
  #swept = '';
  #watch: { close(): void } | undefined;
  /** Hosts that are given up. */
  #hostWatch: { close(): void } | undefined;
  /** What an instance was waiting for is there. */
  #volumeWatch: { close(): void } | undefined;
  /** The cloud is held, or free again. */
  #heldWatch: { close(): void } | undefined;
  #sweep: { cancel(): void } | undefined;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#queue = new KeyedQueue({
      clock: context.clock,
      concurrency: CONCURRENCY,
      onStart: (_id, waitedMs) => context.metrics.time('reconcileLag', waitedMs, {}),
      run: (id) => this.#timed(id),
      onError: (id, error) => {
        // The other one does it.
        if (isCode(error, 'NotOwner', 'StateHeld')) return;
        // A store that can't commit now, a bus that may have sent it or not, or a lost race: the record still stands, so look again.
        if (!isCode(error, 'Unavailable', 'Timeout', 'Conflict', 'StoragePoisoned')) {
          context.logger.error('reconcile failed', { instanceId: id, error: errorText(error) });
        }
        this.#queue.addAfter(id, 1000);
      },
    });
  }

  start(): void {
    const { store, clock } = this.#context;
    this.#index.load(store);
    this.#watch = store.watch(PREFIX.instance, store.rev + 1, (change) => {
      for (const { key, value } of change.ops) {
        const id = key.slice(PREFIX.instance.length);
        this.#index.set(id, value as unknown as InstanceRecord | undefined);
        this.#queue.add(id);
      }
    });
    this.#hostWatch = store.watch(PREFIX.host, store.rev + 1, (change) => {
      for (const { key, value } of change.ops) {
        if ((value as unknown as HostRecord | undefined)?.lost !== undefined)
          this.wakeHost(key.slice(PREFIX.host.length));
      }
    });
    this.#volumeWatch = store.watch(PREFIX.volume, store.rev + 1, (change) => {
      for (const { value } of change.ops) {
        const instanceId = (value as unknown as VolumeRecord | undefined)?.attachment?.instanceId;
        if (instanceId !== undefined) this.wake(instanceId);
      }
    });
    this.#heldWatch = store.watch(KEYS.held, store.rev + 1, () => this.sweep());
    this.#sweep = clock.every(SWEEP_MS / SWEEP_PARTS, () => this.#sweepPart(), { unref: true });
    this.sweep();
  }

  sweep(): void {
    for (const { key } of this.#context.store.range(PREFIX.instance)) this.wake(key.slice(PREFIX.instance.length));
  }

  #sweepPart(): void {
    const { store } = this.#context;
    const limit = Math.max(1, Math.ceil(store.count(PREFIX.instance) / SWEEP_PARTS));
    const part = store.range(PREFIX.instance, { limit, after: PREFIX.instance + this.#swept });
    for (const { key } of part) this.wake(key.slice(PREFIX.instance.length));
    this.#swept = part.length < limit ? '' : (part.at(-1)?.key.slice(PREFIX.instance.length) ?? '');
  }

  wake(instanceId: string): void {
    this.#queue.add(instanceId);
  }

  /** Every instance of the host is looked at. */
  wakeHost(hostId: string): void {
    for (const instanceId of this.#index.on(hostId)) this.wake(instanceId);
  }

  /** Something is under way on the host. */
  isBusy(hostId: string): boolean {
    return this.#index.isBusy(hostId);
  }

  /** A worker says how a command ended. Resolves when that is taken into account, durably: only then is the worker told to forget it. */
  async outcome(outcome: Outcome): Promise<void> {
    const { observations, clock, ownership } = this.#context;
    if (!ownership.owns(outcome.hostId)) {
      throw new CloudError(
        'Unavailable',
        `host ${outcome.hostId} has another owner now, so its outcome is not taken here`,
      );
    }
    refuseHeld(this.#context.store);
    observations.outcome(outcome, clock.nowMs());
    await this.#reconcile(outcome.instanceId);
    // Taken into the record, or of an intent that is over.
    observations.forgetOutcome(outcome.commandId);
  }

  get depth(): number {
    return this.#queue.depth;
  }

  async close(): Promise<void> {
    this.#watch?.close();
    this.#hostWatch?.close();
    this.#volumeWatch?.close();
    this.#heldWatch?.close();
    this.#sweep?.cancel();
    await this.#queue.close();
  }

  async #timed(id: string): Promise<void> {
    const { clock, metrics } = this.#context;
    const startedMs = clock.monotonicMs();
    await this.#reconcile(id).finally(() => metrics.time('reconcile', clock.monotonicMs() - startedMs, {}));
  }

  async #reconcile(id: string): Promise<void> {
    const { store, logger } = this.#context;
    const record = store.get<InstanceRecord>(KEYS.instance(id))?.value;
    if (record?.work === undefined) this.#sent.delete(id);
    if (record === undefined || isHeld(store)) return;
    if (!this.#isOurs(record.hostId)) {
      this.#sent.delete(id);
      return;
    }
    const decision = this.#decide(record);
    if (decision.wakeInMs !== undefined) this.#queue.addAfter(id, decision.wakeInMs);
    if (decision.send === true) await this.#send(record);
    if (decision.next === undefined && decision.forget !== true) return;
    const { result } = await transact(store, (draft) => this.#apply(draft, id));
    if (result !== undefined && result.from !== result.to) {
      logger.info('instance changed', { instanceId: id, from: result.from, to: result.to, reason: result.reason });
    }
  }

  /** What is left of a host that is no more is nobody's: one controller looks after that. */
  #isOurs(hostId: string): boolean {
    const { store, ownership } = this.#context;
    if (ownership.owns(hostId)) return true;
    return store.get(KEYS.host(hostId)) === undefined && ownership.controllers()[0] === ownership.controllerId;
  }

  #decide(record: InstanceRecord): Decision {
    const { observations, policy, clock, store } = this.#context;
    const host = store.get<HostRecord>(KEYS.host(record.hostId))?.value;
    const problem = hostProblem(this.#context, host, record.hostId);
    const observed = observations.domain(record.hostId, record.id);
    const outcome = record.work && observations.outcomeOf(record.work.commandId);
    const restored = restoredAtMs(store);
    return reconcileInstance({
      record,
      ...(problem === undefined ? {} : { hostProblem: problem }),
      ...(host?.lost === undefined ? {} : { hostLost: host.lost }),
      ...(observed === undefined ? {} : { observed }),
      ...(outcome === undefined ? {} : { outcome }),
      launch: launchWait((key) => store.get<never>(key)?.value, record),
      ...(restored === undefined ? {} : { restoredAtMs: restored }),
      nowMs: clock.nowMs(),
      maxAttempts: policy.maxAttempts,
      terminatedKeepMs: policy.terminatedKeepMs,
    });
  }

  /** Decides again on the record that the transaction guards, and writes. */
  #apply(draft: Draft, id: string): { from: string; to: string; reason?: string } | undefined {
    const nowMs = this.#context.clock.nowMs();
    const record = draft.get<InstanceRecord>(KEYS.instance(id));
    if (record === undefined) return undefined;
    if (draft.peek(KEYS.host(record.hostId)) !== undefined) this.#context.ownership.guard(draft, record.hostId);
    const decision = this.#decide(record);
    if (decision.forget === true) {
      draft.del(KEYS.instance(id));
      dropTags(draft, id);
      this.#context.observations.forgetInstance(record.hostId, id);
      return undefined;
    }
    const { next, finished } = decision;
    if (next === undefined) return undefined;
    const ends = finished !== undefined && record.operationDone !== true && record.operationId !== undefined;
    draft.put(KEYS.instance(id), ends ? { ...next, operationDone: true } : next);
    if (decision.release === true) {
      releaseClaims(draft, record, nowMs);
      forgetLostHost(draft, record.hostId);
    }
    if (ends) this.#finishTarget(draft, record, finished, nowMs);
    const reason = next.stateReason?.message;
    return { from: record.state, to: next.state, ...(reason === undefined ? {} : { reason }) };
  }

  /** The record's operation has ended for this instance: how, and by which steps. */
  #finishTarget(
    draft: Draft,
    record: InstanceRecord,
    finished: NonNullable<Decision['finished']>,
    nowMs: number,
  ): void {
    const { id, work, operationId = '' } = record;
    const outcome = work && this.#context.observations.outcomeOf(work.commandId);
    const steps = (outcome?.steps ?? []).map(({ step, atMs, tookMs, error }) => ({
      target: id,
      step,
      atMs,
      ...(tookMs === undefined ? {} : { tookMs }),
      ...(error === undefined ? {} : { error }),
    }));
    finishTarget(draft, operationId, id, nowMs, { ...finished, steps });
  }

  async #send(record: InstanceRecord): Promise<void> {
    const { bus, clock, store } = this.#context;
    const work = record.work;
    if (work === undefined) return;
    const assign = store.get<AssignRecord>(KEYS.assign('compute', record.hostId))?.value;
    if (assign === undefined) return;
    const now = clock.monotonicMs();
    const sent = this.#sent.get(record.id);
    // What went to a worker that has the host no longer has to go to the one that has it.
    const isUnderWay = sent?.commandId === work.commandId && sent.epoch === assign.epoch;
    if (isUnderWay && now - sent.atMs < RESEND_MS) {
      this.#queue.addAfter(record.id, RESEND_MS - (now - sent.atMs));
      return;
    }
    this.#sent.set(record.id, { commandId: work.commandId, epoch: assign.epoch, atMs: now });
    this.#queue.addAfter(record.id, RESEND_MS);
    const command = instanceCommand(this.#context, record, work, assign.epoch);
    try {
      await bus.cast(TOPIC.worker(assign.workerId), 'instance-command', toJson(command));
    } catch (error) {
      // The bus did not say whether it has it: perhaps it has, so it is left to the next time.
      if (isCode(error, 'Timeout')) return;
      // The worker is not there (yet): its hello makes the loop look again.
      this.#sent.delete(record.id);
      if (!isCode(error, 'Unavailable', 'RequestLimitExceeded')) throw error;
    }
  }
}
