import { errorText } from '../base/errors.ts';
import { toJson } from '../base/json.ts';
import { KEYS } from '../domain/keys.ts';
import type { HostRecord } from '../domain/records.ts';
import { HostReport, Outcome, Progress, TOPIC, WorkerHello } from '../messages/worker.ts';
import type { Json } from '../base/json.ts';
import type { HandlerTable, Subscription } from '../ports/bus.ts';
import type { ControllerContext } from './controller-context.ts';
import { hostProblem } from './hosts/host-problem.ts';
import { InstanceLoop } from './instances/instance-loop.ts';
import { tellRestored } from './maintenance/after-restore.ts';
import { expireRecords } from './maintenance/expire.ts';
import { completeReservations } from './instances/reservations.ts';
import { Executor } from './operations/executor.ts';
import type { CallMeta } from './operations/handler.ts';

const PREFETCH = 256;
const HOUSEKEEPING_MS = 600_000;

/** The Cloud Controller of one process: takes changes and reports from the bus, drives the reconcilers. */
export class Controller {
  readonly executor: Executor;
  readonly instances: InstanceLoop;
  readonly #context: ControllerContext;
  #subscription: Subscription | undefined;
  #housekeeping: { cancel(): void } | undefined;
  #keepingHouse: Promise<void> | undefined;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.executor = new Executor(context);
    this.instances = new InstanceLoop(context);
    context.maintenance.attach(this.instances);
  }

  async start(): Promise<void> {
    const { bus } = this.#context;
    this.#subscription = await bus.serve(TOPIC.controller, this.#handlers(), { prefetch: PREFETCH });
    await tellRestored(this.#context);
    await completeReservations(this.#context);
    this.instances.start();
    this.#housekeeping = this.#context.clock.every(HOUSEKEEPING_MS, () => this.#keepHouse(), { unref: true });
  }

  async close(): Promise<void> {
    this.#housekeeping?.cancel();
    await this.#context.maintenance.close();
    await this.#subscription?.close();
    await this.instances.close();
    await this.#keepingHouse;
  }

  /** One at a time; what can't be done now is done the next time. */
  #keepHouse(): void {
    const { logger } = this.#context;
    this.#keepingHouse ??= completeReservations(this.#context)
      .then(() => expireRecords(this.#context))
      .then(
        (deleted) => logger.debug('old records deleted', { deleted }),
        (error: unknown) => logger.warn('housekeeping was cut short', { error: errorText(error) }),
      )
      .finally(() => (this.#keepingHouse = undefined));
  }

  #handlers(): HandlerTable {
    const { observations, workers } = this.#context;
    return {
      operation: async (body) => {
        const { name, input, meta } = body as unknown as { name: string; input: Json; meta: CallMeta };
        const { output, rev } = await this.executor.change(name, input, meta);
        return { output: toJson(output as object), rev };
      },
      'worker-hello': (body) => {
        workers.hello(WorkerHello.parse(body));
        return Promise.resolve(undefined);
      },
      'host-report': (body) => {
        this.#hostReport(HostReport.parse(body));
        return Promise.resolve(undefined);
      },
      outcome: async (body) => {
        await this.instances.outcome(Outcome.parse(body));
        return undefined;
      },
      progress: (body) => {
        observations.progress(Progress.parse(body));
        return Promise.resolve(undefined);
      },
    };
  }

  #hostReport(report: HostReport): void {
    const { observations, store, logger } = this.#context;
    const { hostId } = report;
    const host = store.get<HostRecord>(KEYS.host(hostId))?.value;
    if (host === undefined) return;
    const before = hostProblem(this.#context, host, hostId);
    const changed = observations.report(report);
    const problem = hostProblem(this.#context, host, hostId);
    for (const name of changed) this.instances.wake(name);
    if ((before === undefined) === (problem === undefined)) return;
    logger.info(problem === undefined ? 'host is up' : 'host is down', { hostId, problem });
    this.instances.wakeHost(hostId);
  }
}
