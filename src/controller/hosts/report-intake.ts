import { errorText } from '../../base/errors.ts';
import { KEYS, PREFIX } from '../../domain/keys.ts';
import type { InstanceRecord } from '../../domain/instance.ts';
import type { HostRecord } from '../../domain/records.ts';
import { HostReport, Progress, ServiceHello, TOPIC, WorkerHello } from '../../messages/worker.ts';
import type { HandlerTable, Subscription } from '../../ports/bus.ts';
import type { ControllerContext } from '../controller-context.ts';
import { hostProblem } from './host-problem.ts';

/** A report of a host that this replica has not heard of yet is looked at once more after this time. */
const UNKNOWN_HOST_MS = 2000;
const REPORT_ALL_TIMEOUT_MS = 5000;

type Context = Pick<ControllerContext, 'store' | 'bus' | 'clock' | 'logger' | 'observations' | 'workers' | 'services'>;

export interface ReportIntakeOptions {
  /** What was seen of these instances is news. Absent where nothing is reconciled. */
  readonly wake?: (instanceId: string) => void;
  /** The host went down, or came up. */
  readonly wakeHost?: (hostId: string) => void;
  /** Another controller has the host. */
  readonly isOfAnother?: (hostId: string) => boolean;
}

/**
 * Takes what comes by TOPIC.reports into this process's memory: observations of hosts, progress, and who lives. Every controller has one
 * (Controller.start), and so does a process with the api role alone: `new ReportIntake(context)`, `start`, `close`. There `context.workers` is a
 * WorkerDirectory that nobody starts, so that it opens and moves nothing.
 */
export class ReportIntake {
  readonly #context: Context;
  readonly #options: ReportIntakeOptions;
  #subscription: Subscription | undefined;
  readonly #watches: { close(): void }[] = [];

  constructor(context: Context, options: ReportIntakeOptions = {}) {
    this.#context = context;
    this.#options = options;
  }

  async start(): Promise<void> {
    const { store, bus, observations } = this.#context;
    this.#watches.push(
      store.watch(PREFIX.host, store.rev + 1, ({ ops }) => {
        for (const { key, value } of ops)
          if (value === undefined) observations.forgetHost(key.slice(PREFIX.host.length));
      }),
      store.watch(PREFIX.instance, store.rev + 1, ({ ops }) => {
        for (const { key, value } of ops) {
          const record = value as unknown as InstanceRecord | undefined;
          if (record?.work === undefined) observations.forgetProgress(key.slice(PREFIX.instance.length));
        }
      }),
    );
    this.#subscription = await bus.subscribe(TOPIC.reports, this.#handlers());
  }

  async close(): Promise<void> {
    for (const watch of this.#watches.splice(0)) watch.close();
    await this.#subscription?.close();
  }

  #handlers(): HandlerTable {
    const { observations, workers, services } = this.#context;
    return {
      'worker-hello': (body) => {
        const hello = WorkerHello.parse(body);
        const isNew = workers.hello(hello);
        // What it said of its hosts before we listened we have not heard.
        if (isNew && hello.open.length > 0) this.#askForReports(hello.workerId);
        return Promise.resolve(undefined);
      },
      'host-report': (body) => {
        this.#hostReport(HostReport.parse(body), false);
        return Promise.resolve(undefined);
      },
      progress: (body) => {
        observations.progress(Progress.parse(body));
        return Promise.resolve(undefined);
      },
      'service-hello': (body) => {
        services.hello(ServiceHello.parse(body));
        return Promise.resolve(undefined);
      },
    };
  }

  #askForReports(workerId: string): void {
    const { bus, logger } = this.#context;
    bus
      .call(TOPIC.worker(workerId), 'report-hosts', { v: 1 }, { timeoutMs: REPORT_ALL_TIMEOUT_MS })
      // Its next inventory says the same.
      .catch((error: unknown) => logger.debug('worker not asked for reports', { workerId, error: errorText(error) }));
  }

  #hostReport(report: HostReport, again: boolean): void {
    const { observations, store, logger, clock } = this.#context;
    const { hostId } = report;
    const host = store.get<HostRecord>(KEYS.host(hostId))?.value;
    if (host === undefined) {
      if (!again) clock.after(UNKNOWN_HOST_MS, () => this.#hostReport(report, true), { unref: true });
      return;
    }
    const before = hostProblem(this.#context, host, hostId);
    // One that was ours for a moment would be doubted for ever: only its owner is told which reports count.
    if (this.#options.isOfAnother?.(hostId) === true) observations.trust(hostId);
    const doubted = observations.isDoubted(hostId);
    const changed = observations.report(report);
    const problem = hostProblem(this.#context, host, hostId);
    if (this.#options.wake !== undefined) for (const name of changed) this.#options.wake(name);
    if (doubted && !observations.isDoubted(hostId)) this.#options.wakeHost?.(hostId);
    if ((before === undefined) === (problem === undefined)) return;
    logger.info(problem === undefined ? 'host is up' : 'host is down', { hostId, problem });
    this.#options.wakeHost?.(hostId);
  }
}
