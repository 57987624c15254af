import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../base/clock.ts';
import { CloudError, errorText, isCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type {
  ConsoleEnd,
  ConsoleOutput,
  OpenConsoleOnHost,
  PutConsoleInput,
  TakeConsoleOutput,
} from '../messages/console.ts';
import { CONSOLE_BUFFER_BYTES } from '../messages/console.ts';
import type { Hypervisor } from '../ports/hypervisor.ts';

export const CONSOLE_LIMITS = {
  perHost: 32,
  /** A console that nobody asks for is closed. */
  idleMs: 30_000,
  /** How long input waits for room before the answer says that it was not taken. */
  inputWaitMs: 2000,
  /** Closed ids that are remembered, so that a late message does not open one again. */
  closedIds: 1000,
} as const;

/** One open console: its output is kept, up to a bound, until it is known to have arrived. */
class ConsoleSession {
  readonly hostId: string;
  readonly #stream: Duplex;
  readonly #clock: Clock;
  readonly #forget: () => void;
  /** Output from #start on. When it is full the oldest goes: to stop reading would stop the guest. */
  #kept: Buffer[] = [];
  #start = 0;
  #size = 0;
  #inputOffset = 0;
  #ended: ConsoleEnd | undefined;
  #idle: Timer | undefined;
  readonly #wake = new Set<() => void>();

  constructor(hostId: string, stream: Duplex, clock: Clock, forget: () => void) {
    this.hostId = hostId;
    this.#stream = stream;
    this.#clock = clock;
    this.#forget = forget;
    stream.on('data', (chunk: Buffer) => this.#keep(chunk));
    stream.on('end', () => this.#end({ reason: 'guest-stopped', message: 'the guest has stopped' }));
    stream.on('error', (error: Error) => this.#end(endOf(error)));
    stream.on('close', () => this.#end({ reason: 'closed', message: 'the console was closed' }));
    // It may have ended before it came here.
    if (stream.destroyed) this.#end(endOf(stream.errored ?? 'it ended at once'));
    this.#touch();
  }

  async output({ offset, waitMs }: TakeConsoleOutput): Promise<ConsoleOutput> {
    this.#touch();
    this.#drop(offset);
    if (this.#start + this.#size <= offset && this.#ended === undefined) await this.#something(waitMs);
    this.#touch();
    // Asked again, or by a doubled message that came late: the same bytes are answered, or none that were dropped.
    const data = Buffer.concat(this.#kept);
    const ended = this.#ended === undefined ? {} : { ended: this.#ended };
    return { offset: this.#start, data: data.toString('base64'), ...ended };
  }

  async input({ offset, data }: PutConsoleInput): Promise<{ offset: number }> {
    this.#touch();
    const bytes = Buffer.from(data, 'base64');
    if (offset > this.#inputOffset) {
      throw new CloudError('Conflict', `input of a console must go on at ${this.#inputOffset}, not at ${offset}`);
    }
    const fresh = bytes.subarray(Math.min(bytes.length, this.#inputOffset - offset));
    if (this.#ended !== undefined) return { offset: offset + bytes.length };
    if (fresh.length === 0) return { offset: this.#inputOffset };
    if (this.#stream.writableLength + fresh.length > CONSOLE_BUFFER_BYTES) {
      await this.#drained(CONSOLE_LIMITS.inputWaitMs);
      // While it waited a doubled message may have brought the same bytes.
      return this.#stream.writableLength + fresh.length > CONSOLE_BUFFER_BYTES
        ? { offset: this.#inputOffset }
        : this.#put(offset, bytes);
    }
    return this.#put(offset, bytes);
  }

  close(ended: ConsoleEnd = { reason: 'closed', message: 'the console was closed' }): void {
    this.#end(ended);
    this.#stream.destroy();
  }

  cancelIdle(): void {
    this.#idle?.cancel();
  }

  #put(offset: number, bytes: Buffer): { offset: number } {
    const fresh = bytes.subarray(Math.min(bytes.length, this.#inputOffset - offset));
    this.#inputOffset += fresh.length;
    if (fresh.length > 0) this.#stream.write(fresh);
    return { offset: this.#inputOffset };
  }

  #keep(chunk: Buffer): void {
    this.#kept.push(chunk);
    this.#size += chunk.length;
    this.#drop(this.#start + this.#size - CONSOLE_BUFFER_BYTES);
    this.#wakeAll();
  }

  /** Forgets what lies before the offset. */
  #drop(offset: number): void {
    while (this.#start < offset) {
      const first = this.#kept[0];
      if (first === undefined) return;
      const count = Math.min(first.length, offset - this.#start);
      this.#start += count;
      this.#size -= count;
      if (count < first.length) this.#kept[0] = first.subarray(count);
      else this.#kept.shift();
    }
  }

  #end(ended: ConsoleEnd): void {
    this.#ended ??= ended;
    this.#wakeAll();
  }

  #wakeAll(): void {
    for (const wake of [...this.#wake]) wake();
  }

  #something(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.#wake.delete(done);
        resolve();
      };
      const timer = this.#clock.after(waitMs, done, { unref: true });
      this.#wake.add(done);
    });
  }

  #drained(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        timer.cancel();
        this.#stream.off('drain', done);
        this.#stream.off('close', done);
        resolve();
      };
      const timer = this.#clock.after(waitMs, done, { unref: true });
      this.#stream.once('drain', done);
      this.#stream.once('close', done);
    });
  }

  #touch(): void {
    this.#idle?.cancel();
    this.#idle = this.#clock.after(CONSOLE_LIMITS.idleMs, () => this.#forget(), { unref: true });
  }
}

function endOf(error: unknown): ConsoleEnd {
  const takenOver = isCode(error, 'Conflict');
  return { reason: takenOver ? 'taken-over' : 'host-lost', message: errorText(error) };
}

/** The consoles that are open in a worker. Every call may come twice or late. */
export class ConsoleSessions {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #open = new Map<string, { hostId: string; session: Promise<ConsoleSession> }>();
  readonly #closed = new Set<string>();

  constructor(parts: { clock: Clock; logger: Logger }) {
    this.#clock = parts.clock;
    this.#logger = parts.logger;
  }

  /** Errors: those of the hypervisor's openConsole; 'RequestLimitExceeded'; 'IncorrectState' for an id that was closed. */
  async open(ask: OpenConsoleOnHost, hypervisor: Hypervisor): Promise<void> {
    const { consoleId, hostId } = ask;
    const known = this.#open.get(consoleId);
    if (known !== undefined) {
      await known.session;
      return;
    }
    if (this.#closed.has(consoleId)) throw gone(consoleId);
    const there = [...this.#open.values()].filter((one) => one.hostId === hostId).length;
    if (there >= CONSOLE_LIMITS.perHost) {
      throw new CloudError(
        'RequestLimitExceeded',
        `${CONSOLE_LIMITS.perHost} consoles of this host are open already; detach from one`,
      );
    }
    const session = this.#connect(ask, hypervisor);
    this.#open.set(consoleId, { hostId, session });
    try {
      await session;
    } catch (error) {
      this.#open.delete(consoleId);
      throw error;
    }
  }

  async output(ask: TakeConsoleOutput): Promise<ConsoleOutput> {
    return (await this.#session(ask.consoleId)).output(ask);
  }

  async input(ask: PutConsoleInput): Promise<{ offset: number }> {
    return (await this.#session(ask.consoleId)).input(ask);
  }

  async close(consoleId: string): Promise<void> {
    const known = this.#open.get(consoleId);
    this.#open.delete(consoleId);
    this.#remember(consoleId);
    if (known === undefined) return;
    const session = await known.session.catch(() => undefined);
    session?.cancelIdle();
    session?.close();
    this.#logger.info('console closed', { consoleId, hostId: known.hostId });
  }

  async closeAll(message: string): Promise<void> {
    for (const [id, known] of [...this.#open]) {
      (await known.session.catch(() => undefined))?.close({ reason: 'closed', message });
      await this.close(id);
    }
  }

  async #connect(ask: OpenConsoleOnHost, hypervisor: Hypervisor): Promise<ConsoleSession> {
    const { consoleId, hostId, instanceId, domainUuid, force } = ask;
    const stream = await hypervisor.openConsole(domainUuid, { force });
    this.#logger.info('console open', { consoleId, hostId, instanceId, force });
    return new ConsoleSession(hostId, stream, this.#clock, () => void this.close(consoleId));
  }

  #session(consoleId: string): Promise<ConsoleSession> {
    const known = this.#open.get(consoleId);
    if (known === undefined) throw gone(consoleId);
    return known.session;
  }

  #remember(consoleId: string): void {
    this.#closed.add(consoleId);
    for (const oldest of this.#closed) {
      if (this.#closed.size <= CONSOLE_LIMITS.closedIds) break;
      this.#closed.delete(oldest);
    }
  }
}

function gone(consoleId: string): CloudError {
  return new CloudError('IncorrectState', `the console ${consoleId} is not open (any more); connect again`);
}
