import type { Clock } from '../base/clock.ts';
import { CloudError, errorText } from '../base/errors.ts';
import { toJson } from '../base/json.ts';
import type { Logger } from '../base/logger.ts';
import { KeyedLock } from '../base/keyed-lock.ts';
import { CheckHostMessage, CloseHost, FetchHostKey, CollectHost, InstanceCommand } from '../messages/worker.ts';
import { OpenHost, ProbeHost, ReadConsole, TOPIC } from '../messages/worker.ts';
import type { HostReport } from '../messages/worker.ts';
import type { Bus, HandlerTable, Subscription } from '../ports/bus.ts';
import type { OpenHostDrivers } from '../ports/host-drivers.ts';
import type { HostReach } from '../ports/host-reach.ts';
import { NO_METRICS, type Metrics } from '../ports/metrics.ts';
import { WorkerConsoles } from './console-handlers.ts';
import { collectHost } from './collect-host.ts';
import { HostSession } from './host-session.ts';
import type { Reporter } from './host-session-parts.ts';
import { ImageCaches } from './image-cache.ts';
import { ImageCaptures } from './image-captures.ts';
import { OthersHeard } from './others-heard.ts';

/** Who is not heard for five times this long is counted as gone. */
const HELLO_MS = 2000;
const DRAIN_LOOK_MS = 50;
/** Nobody else who was heard for so long: there is no other worker. */
const ALONE_MS = 3 * HELLO_MS;
const KINDS = ['compute', 'network'];
const OUTCOME_TIMEOUT_MS = 10_000;

export interface ComputeWorkerOptions {
  readonly workerId: string;
  /** New at every start: facts of an older session are older. */
  readonly session: string;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default: nobody reads them. */
  readonly metrics?: Metrics;
  readonly openDrivers: OpenHostDrivers;
  /** What it takes on. Default: compute and network. */
  readonly kinds?: readonly string[];
  /** Absent where hosts are simulated. */
  readonly reach?: HostReach;
}

/** Serves the hosts that the controller opens in it: carries out commands and reports facts. It never writes a record and never reads the store. */
export class ComputeWorker {
  readonly #options: ComputeWorkerOptions;
  readonly #hosts = new Map<string, HostSession>();
  readonly #opening = new KeyedLock();
  readonly #reporter: Reporter;
  readonly #consoles: WorkerConsoles;
  readonly #captures: ImageCaptures;
  readonly #caches: ImageCaches;
  #subscription: Subscription | undefined;
  #hello: { cancel(): void } | undefined;
  #seq = 0;
  #leaving = false;
  #closing = false;
  /** A round of reports that was asked for; `again`: asked for once more meanwhile. */
  #reporting: { again: boolean } | undefined;

  constructor(options: ComputeWorkerOptions) {
    this.#options = options;
    const { bus, clock, logger } = options;
    this.#consoles = new WorkerConsoles({ clock, logger, drivers: (hostId) => this.#session(hostId).drivers });
    const session = (hostId: string, epoch: number): HostSession => this.#sessionAt(hostId, epoch);
    this.#captures = new ImageCaptures({ clock, logger, session });
    this.#caches = new ImageCaches({ logger, session });
    this.#reporter = {
      host: (report: HostReport) => bus.fanout(TOPIC.reports, 'host-report', toJson(report)),
      outcome: async (outcome) => {
        await bus.call(TOPIC.controller, 'outcome', toJson(outcome), { timeoutMs: OUTCOME_TIMEOUT_MS });
      },
      // Lost progress is no harm: it only says what is being done.
      progress: (progress) => void bus.fanout(TOPIC.reports, 'progress', toJson(progress)).catch(() => undefined),
    };
  }

  async start(): Promise<void> {
    const { bus, clock, workerId } = this.#options;
    this.#subscription = await bus.serve(TOPIC.worker(workerId), this.#handlers(), { prefetch: 256 });
    this.#hello = clock.every(HELLO_MS, () => this.#sayHello(), { unref: true });
    this.#sayHello();
  }

  async close(): Promise<void> {
    this.#hello?.cancel();
    this.#closing = true;
    await this.#consoles.close();
    const handled = this.#subscription?.close();
    // A host that is just being opened may hang in its claim: closing it ends that, so it is not waited for first.
    await this.#closeAll();
    await handled;
    await this.#closeAll();
  }

  async #closeAll(): Promise<void> {
    await Promise.allSettled([...this.#hosts.values()].map((host) => host.close()));
    this.#hosts.clear();
  }

  /** Hosts that are open here. */
  get opens(): number {
    return this.#hosts.size;
  }

  /**
   * Has the controllers give its hosts to other workers. Resolves when it has none left; when no other worker is heard and nothing is under way here; or
   * after timeoutMs. `close` comes next.
   */
  async drain(timeoutMs: number): Promise<void> {
    const { clock, bus, workerId, kinds = KINDS, logger } = this.#options;
    const startMs = clock.monotonicMs();
    const others = new OthersHeard();
    try {
      // Who can't listen can't tell that nobody is there.
      const canHear = await others.listen(bus, { workerId, kinds }).then(
        () => true,
        (error: unknown) => {
          logger.debug('other workers are not heard', { error: errorText(error) });
          return false;
        },
      );
      this.#leaving = true;
      this.#sayHello();
      for (;;) {
        const spentMs = clock.monotonicMs() - startMs;
        const isAlone = canHear && !others.any && spentMs >= ALONE_MS;
        const isBusy = [...this.#hosts.values()].some((host) => host.busy);
        if (this.#hosts.size === 0 || spentMs >= timeoutMs || (isAlone && !isBusy)) return;
        await clock.sleep(DRAIN_LOOK_MS);
      }
    } finally {
      await others.close();
    }
  }

  #sayHello(): void {
    const { bus, workerId, session, logger } = this.#options;
    const { kinds = KINDS } = this.#options;
    const [open, observes] = [[] as string[], [] as string[]];
    for (const [hostId, host] of this.#hosts) (host.mode === 'serve' ? open : observes).push(hostId);
    const epochs = Object.fromEntries([...this.#hosts].map(([hostId, { epoch }]) => [hostId, epoch]));
    const hello = { v: 1, workerId, session, kinds, open, epochs, observes, leaving: this.#leaving };
    bus.fanout(TOPIC.reports, 'worker-hello', toJson(hello)).catch((error: unknown) => {
      logger.debug('nobody to say hello to', { error: errorText(error) });
    });
  }

  #handlers(): HandlerTable {
    return {
      'host-probe': async (body) => {
        const drivers = await this.#options.openDrivers(ProbeHost.parse(body).transport);
        try {
          // First what says best what is wrong with the way there.
          const facts = await drivers.probe();
          const claim = await drivers.claim.read();
          return toJson({ ...facts, ...(claim === undefined ? {} : { claim }) });
        } finally {
          await drivers.close();
        }
      },
      'host-key': async (body) => toJson(await this.#reach().hostKey(FetchHostKey.parse(body))),
      'cloud-key': async () => ({ publicKey: await this.#reach().cloudKey() }),
      'host-check': async (body) => {
        const { transport, ...context } = CheckHostMessage.parse(body);
        return toJson({ checks: await this.#reach().check(transport, context) });
      },
      'host-open': async (body) => {
        const open = OpenHost.parse(body);
        // What is reported from here on was seen after this was asked.
        const mark = { session: this.#options.session, seq: this.#seq };
        await this.#opening.run(open.hostId, () => this.#openHost(open));
        return mark;
      },
      'host-close': async (body) => {
        await this.#closeHost(CloseHost.parse(body));
        return undefined;
      },
      ping: () => Promise.resolve(undefined),
      'report-hosts': () => {
        this.#reportHosts();
        return Promise.resolve(undefined);
      },
      'instance-command': (body) => {
        const command = InstanceCommand.parse(body);
        // Not open (any more): the controller opens the host at our next hello and sends the command again.
        this.#hosts.get(command.hostId)?.accept(command);
        return Promise.resolve(undefined);
      },
      ...this.#caches.handlers(),
      ...this.#captures.handlers(),
      ...this.#consoles.handlers(),
      'host-collect': async (body) => {
        const order = CollectHost.parse(body);
        const session = this.#sessionAt(order.hostId, order.epoch);
        if (order.remove && !session.serving) {
          throw new CloudError(
            'Unavailable',
            `host ${order.hostId} is not claimed yet, so nothing is removed; try again`,
          );
        }
        return toJson(await collectHost(session.drivers, order));
      },
      'console-read': async (body) => {
        const { hostId, instanceId, fromByte, maxBytes } = ReadConsole.parse(body);
        const part = await this.#session(hostId).drivers.readConsole(instanceId, fromByte, maxBytes);
        return { data: part.data.toString('base64'), fromByte: part.fromByte, nextByte: part.nextByte };
      },
    };
  }

  async #openHost(open: OpenHost): Promise<void> {
    const known = this.#hosts.get(open.hostId);
    const isServed = known?.mode === 'serve' || open.mode === 'observe';
    refuseOldEpoch(known, open);
    if (known !== undefined && known.epoch >= open.epoch && !known.fenced && isServed) {
      await known.reportAll();
      return;
    }
    // First: a session that is closed must not be counted as open, should the next one not come to be.
    this.#hosts.delete(open.hostId);
    await known?.close();
    const { clock, logger, workerId, session, metrics = NO_METRICS } = this.#options;
    const serve = open.mode === 'serve' ? { hostId: open.hostId } : undefined;
    const drivers = await this.#options.openDrivers(open.transport, serve);
    if (this.#closing) {
      await drivers.close();
      throw new CloudError('Unavailable', `the worker ${workerId} is shutting down`);
    }
    const host: HostSession = new HostSession(open, drivers, {
      clock,
      logger: logger.child({ hostId: open.hostId }),
      reporter: this.#reporter,
      workerId,
      session,
      nextSeq: () => (this.#seq += 1),
      onEnded: (verb, code, tookMs) => metrics.time('command', tookMs, { verb, code }),
      onClaimed: () => this.#captures.claimed(host),
      onUnclaimed: () => this.#giveUp(open.hostId, host),
    });
    this.#hosts.set(open.hostId, host);
    try {
      await host.start();
    } catch (error) {
      this.#hosts.delete(open.hostId);
      await host.close();
      throw error;
    }
  }

  /** Unless another session has followed it meanwhile. */
  #giveUp(hostId: string, host: HostSession): void {
    const closing = this.#opening.run(hostId, async () => {
      if (this.#hosts.get(hostId) !== host) return;
      this.#hosts.delete(hostId);
      await host.close();
    });
    closing.catch((error: unknown) => {
      this.#options.logger.warn('host session', { hostId, error: errorText(error) });
    });
  }

  /** One that was opened with a later epoch is not meant. */
  #closeHost({ hostId, epoch, release }: CloseHost): Promise<void> {
    return this.#opening.run(hostId, async () => {
      const host = this.#hosts.get(hostId);
      if (host !== undefined && host.epoch > epoch) return;
      this.#hosts.delete(hostId);
      await host?.close({ release });
    });
  }

  /** All that is known of every host, one host after the other; without waiting for it. */
  #reportHosts(): void {
    if (this.#reporting !== undefined) {
      this.#reporting.again = true;
      return;
    }
    const round = { again: false };
    this.#reporting = round;
    const report = async (): Promise<void> => {
      for (const host of [...this.#hosts.values()]) await host.reportAll();
    };
    report()
      .catch((error: unknown) => this.#options.logger.warn('hosts not reported', { error: errorText(error) }))
      .finally(() => {
        this.#reporting = undefined;
        if (round.again) this.#reportHosts();
      });
  }

  #reach(): HostReach {
    const { reach } = this.#options;
    if (reach !== undefined) return reach;
    throw new CloudError('UnsupportedOperation', 'the hosts of this cloud are simulated: none is reached over SSH');
  }

  #sessionAt(hostId: string, epoch: number): HostSession {
    const session = this.#session(hostId);
    refuseOtherEpoch(session, epoch);
    return session;
  }

  #session(hostId: string): HostSession {
    const session = this.#hosts.get(hostId);
    if (session === undefined)
      throw new CloudError('Unavailable', `host ${hostId} is not open in this worker yet; try again`);
    if (session.fenced) {
      throw new CloudError(
        'Unavailable',
        `host ${hostId} has another owner, so this worker leaves it alone; "novactl host show ${hostId}" says why`,
      );
    }
    return session;
  }
}

/**
 * As the host itself would: who asks knows nothing of what was opened here since, and its commands would be dropped without a word. The records may have
 * been restored from a backup.
 */
function refuseOldEpoch(known: HostSession | undefined, asked: OpenHost): void {
  if (known?.mode !== 'serve' || known.fenced || asked.mode !== 'serve' || asked.epoch >= known.epoch) return;
  const { hostId, epoch } = known;
  const message = `host ${hostId} is open here with a later epoch (${epoch}, not ${asked.epoch})`;
  throw new CloudError('StaleEpoch', message, { details: { hostId, epoch } });
}

/** Who asks has another assignment in mind than the one that is open here. */
function refuseOtherEpoch({ hostId, epoch }: HostSession, asked: number): void {
  if (asked === epoch) return;
  const [code, what] = asked < epoch ? (['StaleEpoch', 'a later'] as const) : (['Unavailable', 'an earlier'] as const);
  throw new CloudError(code, `host ${hostId} is open here with ${what} epoch (${epoch}, not ${asked}); try again`);
}
