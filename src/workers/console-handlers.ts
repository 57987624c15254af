import type { Clock } from '../base/clock.ts';
import { toJson } from '../base/json.ts';
import type { Logger } from '../base/logger.ts';
import { CloseConsoleOnHost, OpenConsoleOnHost, PutConsoleInput, TakeConsoleOutput } from '../messages/console.ts';
import { FollowConsole } from '../messages/worker.ts';
import type { HandlerTable } from '../ports/bus.ts';
import type { ConsoleLogSlice, HostDrivers } from '../ports/host-drivers.ts';
import { ConsoleSessions } from './console-sessions.ts';

/** How often a log is looked at while somebody waits for it to grow. */
const LOOK_MS = 250;

/** What a worker does about consoles: interactive ones, and following their logs. */
export class WorkerConsoles {
  readonly #clock: Clock;
  readonly #drivers: (hostId: string) => HostDrivers;
  readonly #sessions: ConsoleSessions;
  readonly #closed = new AbortController();

  /** `drivers` throws for a host that is not open. */
  constructor(parts: { clock: Clock; logger: Logger; drivers: (hostId: string) => HostDrivers }) {
    this.#clock = parts.clock;
    this.#drivers = parts.drivers;
    this.#sessions = new ConsoleSessions(parts);
  }

  handlers(): HandlerTable {
    return {
      'console-open': async (body) => {
        const ask = OpenConsoleOnHost.parse(body);
        await this.#sessions.open(ask, this.#drivers(ask.hostId).hypervisor);
        return undefined;
      },
      'console-output': async (body) => toJson(await this.#sessions.output(TakeConsoleOutput.parse(body))),
      'console-input': async (body) => toJson(await this.#sessions.input(PutConsoleInput.parse(body))),
      'console-close': async (body) => {
        await this.#sessions.close(CloseConsoleOnHost.parse(body).consoleId);
        return undefined;
      },
      'console-follow': async (body) => {
        const { data, ...rest } = await this.#follow(FollowConsole.parse(body));
        return { data: data.toString('base64'), ...rest };
      },
    };
  }

  /** Before the bus is left: whoever waits gets an answer. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#sessions.closeAll('the worker is shutting down');
  }

  async #follow({ hostId, instanceId, waitMs, ...ask }: FollowConsole): Promise<ConsoleLogSlice> {
    const endMs = this.#clock.monotonicMs() + waitMs;
    let { cursor } = ask;
    for (;;) {
      const slice = await this.#drivers(hostId).readConsoleLog(instanceId, { ...ask, cursor });
      const leftMs = endMs - this.#clock.monotonicMs();
      if (slice.data.length > 0 || slice.more || slice.skipped || leftMs <= 0 || this.#closed.signal.aborted)
        return slice;
      ({ cursor } = slice);
      await this.#clock.sleep(Math.min(LOOK_MS, leftMs), this.#closed.signal).catch(() => undefined);
    }
  }
}
