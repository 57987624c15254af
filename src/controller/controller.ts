import { CloudError, errorText } from '../base/errors.ts';
import { toJson } from '../base/json.ts';
import { KEYS, PREFIX } from '../domain/keys.ts';
import { KeyUse } from '../messages/key-use.ts';
import { OpenHostNow, OperationUnderWay, Outcome, TOPIC } from '../messages/worker.ts';
import type { Json } from '../base/json.ts';
import type { HandlerTable, Subscription } from '../ports/bus.ts';
import type { ControllerContext } from './controller-context.ts';
import { isHeld } from './hosts/held.ts';
import { ReportIntake } from './hosts/report-intake.ts';
import { DeregisteredImages } from './images/deregistered-images.ts';
import { ImageImporter } from './images/image-importer.ts';
import { InstanceLoop } from './instances/instance-loop.ts';
import { tellRestored } from './maintenance/after-restore.ts';
import { expireRecords } from './maintenance/expire.ts';
import { completeReservations } from './instances/reservations.ts';
import { Executor } from './operations/executor.ts';
import type { CallMeta } from './operations/handler.ts';
import { UnderWay } from './operations/under-way.ts';
import { recordKeyUse } from './users/key-use.ts';
import { VolumeLoop } from './volumes/volume-loop.ts';

const PREFETCH = 256;
const HOUSEKEEPING_MS = 600_000;
/** The worker waits 10 s for its answer. */
const HAND_ON_MS = 8000;

/** A change, as an edge asks for it. */
interface Asked {
  readonly askId?: string;
  readonly name: string;
  readonly input: Json;
  readonly meta: CallMeta;
}

/** The Cloud Controller of one process: takes changes and reports from the bus, drives the reconcilers. */
export class Controller {
  readonly executor: Executor;
  readonly instances: InstanceLoop;
  readonly #volumes: VolumeLoop;
  readonly #images: readonly [ImageImporter, DeregisteredImages];
  readonly #context: ControllerContext;
  readonly #intake: ReportIntake;
  readonly #underWay = new UnderWay<Json>();
  readonly #subscriptions: Subscription[] = [];
  #housekeeping: { cancel(): void } | undefined;
  /** Other controllers come and go. */
  #members: { close(): void } | undefined;
  #keepingHouse: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.executor = new Executor(context);
    this.instances = new InstanceLoop(context);
    this.#volumes = new VolumeLoop(context);
    this.#images = [new ImageImporter(context), new DeregisteredImages(context)];
    this.#intake = new ReportIntake(context, {
      wake: (instanceId) => this.instances.wake(instanceId),
      wakeHost: (hostId) => this.instances.wakeHost(hostId),
      isOfAnother: (hostId) => ![undefined, context.ownership.controllerId].includes(context.ownership.ownerOf(hostId)),
    });
    context.maintenance.attach(this.instances);
  }

  async start(): Promise<void> {
    const { bus, store, clock, ownership, workers, observations } = this.#context;
    const serve = async (topic: string, handlers: HandlerTable): Promise<void> => {
      this.#subscriptions.push(await bus.serve(topic, handlers, { prefetch: PREFETCH }));
    };
    ownership.onGained((hostId) => this.#gained(hostId));
    await serve(TOPIC.controller, this.#handlers());
    await serve(TOPIC.controllerOf(ownership.controllerId), this.#ownHandlers());
    await this.#intake.start();
    workers.start({
      isBusy: (hostId) => this.instances.isBusy(hostId),
      isDoubted: (hostId) => observations.isDoubted(hostId),
      onOpened: (hostId, mark) => {
        observations.trustAfter(hostId, mark);
        if (!observations.isDoubted(hostId)) this.instances.wakeHost(hostId);
      },
    });
    await ownership.start();
    if (this.#isFirst && !isHeld(store)) {
      await tellRestored(this.#context);
      await completeReservations(this.#context);
    }
    this.instances.start();
    this.#volumes.start();
    for (const images of this.#images) images.start();
    this.#housekeeping = clock.every(HOUSEKEEPING_MS, () => this.#keepHouse(true), { unref: true });
    // What one that has died left half-way.
    this.#members = store.watch(PREFIX.aliveControllers, store.rev + 1, () => this.#keepHouse(false));
  }

  /** Takes nothing more, and lets its hosts go once nothing is decided for them any more. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { maintenance, workers, ownership } = this.#context;
    this.#housekeeping?.cancel();
    this.#members?.close();
    await maintenance.close();
    await Promise.all(this.#subscriptions.map((subscription) => subscription.close()));
    await this.#intake.close();
    await workers.stop();
    await this.instances.close();
    await this.#volumes.close();
    await Promise.all(this.#images.map((images) => images.close()));
    await this.#keepingHouse;
    await ownership.close();
  }

  /** The restored store was adopted: hosts that were only looked at are served again. */
  adopted(): void {
    const { store, workers } = this.#context;
    for (const { key } of store.range(PREFIX.host)) workers.openSoon(key.slice(PREFIX.host.length));
    this.instances.sweep();
    this.#keepHouse(false);
  }

  /** What only one controller need do is done by this one. */
  get #isFirst(): boolean {
    const { ownership } = this.#context;
    return ownership.controllers()[0] === ownership.controllerId;
  }

  #gained(hostId: string): void {
    const { observations, workers } = this.#context;
    observations.doubt(hostId);
    workers.openSoon(hostId);
    this.instances.wakeHost(hostId);
  }

  /** One at a time; what can't be done now is done the next time. */
  #keepHouse(expires: boolean): void {
    const { logger, store } = this.#context;
    for (const images of this.#images) images.sweep();
    if (!this.#isFirst || isHeld(store)) return;
    this.#keepingHouse ??= completeReservations(this.#context)
      .then(() => (expires ? expireRecords(this.#context) : 0))
      .then(
        (deleted) => logger.debug('old records deleted', { deleted }),
        (error: unknown) => logger.warn('housekeeping was cut short', { error: errorText(error) }),
      )
      .finally(() => (this.#keepingHouse = undefined));
  }

  #handlers(): HandlerTable {
    return {
      operation: async (body) => {
        const { askId, name, input, meta } = body as unknown as Asked;
        return this.#underWay.run(askId, async () => {
          const { output, rev } = await this.executor.change(name, input, meta);
          return { output: toJson(output as object), rev };
        });
      },
      'key-use': async (body) => {
        await recordKeyUse(this.#context, KeyUse.parse(body));
        return undefined;
      },
      outcome: async (body) => {
        await this.#outcome(Outcome.parse(body));
        return undefined;
      },
    };
  }

  /** For this controller and no other: it is asked as the owner of a host, or what it is at. */
  #ownHandlers(): HandlerTable {
    return {
      outcome: async (body) => {
        await this.instances.outcome(Outcome.parse(body));
        return undefined;
      },
      'host-open-now': async (body) => {
        await this.#context.workers.openForOther(OpenHostNow.parse(body).hostId);
        return undefined;
      },
      'operation-under-way': async (body) => this.#underWay.has(OperationUnderWay.parse(body).askId),
    };
  }

  /** A worker tells any controller; the host's owner must have taken it before the worker hears that it was. */
  async #outcome(outcome: Outcome): Promise<void> {
    const { ownership, store, bus } = this.#context;
    const { hostId } = outcome;
    const owner = ownership.ownerOf(hostId);
    if (owner === ownership.controllerId) return this.instances.outcome(outcome);
    if (owner === undefined) {
      const isHost = (): boolean => store.get(KEYS.host(hostId)) !== undefined;
      // What this replica has not heard of may be newer than it.
      if (!isHost()) await store.barrier();
      // Of a host that is no more nobody wants to know anything.
      if (!isHost()) return;
      throw new CloudError('Unavailable', `no controller has host ${hostId} at the moment; tell it again`);
    }
    await bus.call(TOPIC.controllerOf(owner), 'outcome', toJson(outcome), { timeoutMs: HAND_ON_MS });
  }
}
