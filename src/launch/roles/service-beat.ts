import { hostname } from 'node:os';
import type { Clock, Timer } from '../../base/clock.ts';
import { errorText } from '../../base/errors.ts';
import { toJson } from '../../base/json.ts';
import type { Logger } from '../../base/logger.ts';
import type { Controller } from '../../controller/controller.ts';
import type { ControllerContext } from '../../controller/controller-context.ts';
import type { ObjectsTrouble } from '../../messages/objects-trouble.ts';
import type { ServiceHello } from '../../messages/worker.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { Bus } from '../../ports/bus.ts';
import type { ComputeWorker } from '../../workers/compute-worker.ts';
import type { ProcessPlan } from './process-plan.ts';

const BEAT_MS = 3000;

interface Parts {
  readonly plan: ProcessPlan;
  readonly session: string;
  readonly version: string;
  readonly clock: Clock;
  readonly bus: Bus;
  readonly logger: Logger;
  readonly context: ControllerContext | undefined;
  readonly controller: Controller | undefined;
  readonly worker: ComputeWorker | undefined;
  /** What is wrong with the objects of this process. */
  readonly objectsTrouble: () => ObjectsTrouble | undefined;
}

/** What a process tells the others of itself, every few seconds. */
export class ServiceBeat {
  readonly #parts: Parts;
  readonly #startedAtMs: number;
  #state: ServiceHello['state'] = 'ready';
  #timer: Timer | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#startedAtMs = parts.clock.nowMs();
  }

  start(): void {
    this.#timer = this.#parts.clock.every(BEAT_MS, () => void this.#say(), { unref: true });
    void this.#say();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** From now on, and at once. Says nothing where nothing was said before. */
  async say(state: ServiceHello['state']): Promise<void> {
    this.#state = state;
    if (this.#timer !== undefined) await this.#say();
  }

  hello(): ServiceHello {
    const { plan, session, version, clock, bus, context, controller, worker, objectsTrouble } = this.#parts;
    const store = context?.store.health();
    const { engine, waiting, handling } = bus.health();
    const problem = this.problem();
    const objects = objectsTrouble();
    return {
      v: 1,
      serviceId: plan.name,
      session,
      roles: [...plan.roles],
      version,
      machine: hostname(),
      pid: process.pid,
      startedAtMs: this.#startedAtMs,
      atMs: clock.nowMs(),
      state: this.#state,
      ...(problem === undefined ? {} : { problem }),
      ...(objects === undefined ? {} : { objects }),
      ...(store === undefined
        ? {}
        : {
            store: {
              ...{ engine: store.engine, rev: store.rev, keys: store.keys },
              ...(store.staleMs === undefined ? {} : { staleMs: store.staleMs }),
            },
          }),
      bus: { engine, waiting, handling },
      ...(controller === undefined || context === undefined
        ? {}
        : { owns: context.ownership.count, depth: controller.instances.depth }),
      ...(worker === undefined ? {} : { opens: worker.opens }),
    };
  }

  /** Why this process is not well. */
  problem(): string | undefined {
    const { bus, context } = this.#parts;
    const store = context?.store.health();
    if (store?.ok === false) return `store: ${store.problem ?? 'it can not commit'}`;
    const { ok, problem } = bus.health();
    return ok ? undefined : `bus: ${problem ?? 'it can not be reached'}`;
  }

  async #say(): Promise<void> {
    const { bus, logger } = this.#parts;
    await bus.fanout(TOPIC.reports, 'service-hello', toJson(this.hello())).catch((error: unknown) => {
      logger.debug('nobody hears that this process is there', { error: errorText(error) });
    });
  }
}
