import type { Clock } from '../../base/clock.ts';
import { errorText, isCode } from '../../base/errors.ts';
import type { Json } from '../../base/json.ts';
import { toJson } from '../../base/json.ts';
import type { ConsoleChannel, ConsoleEnd, ConsoleItem, OpenConsoleOnHost } from '../../messages/console.ts';
import { ConsoleInputTaken, ConsoleOutput } from '../../messages/console.ts';
import { TOPIC } from '../../messages/worker.ts';
import type { Bus } from '../../ports/bus.ts';

const OPEN_TIMEOUT_MS = 45_000;
/** How long a worker holds a question for output; the answer comes as soon as there is some. Some may be lost before the worker takes us for gone. */
const OUTPUT_WAIT_MS = 5000;
const OUTPUT_TIMEOUT_MS = 7000;
const INPUT_TIMEOUT_MS = 6000;
/** Of input, in one message. */
const INPUT_PART_BYTES = 16 * 1024;
const AGAIN_MS = 250;
/** A worker that has not answered for so long is taken for lost; it closes the console by itself. */
const PATIENCE_MS = 30_000;

export interface BusConsoleParts {
  readonly bus: Bus;
  readonly clock: Clock;
  readonly workerId: string;
  readonly ask: OpenConsoleOnHost;
}

const lost = (why: string): ConsoleEnd => ({ reason: 'host-lost', message: why });

/** A console that a worker has open, as a channel. Whatever message is lost or doubled, bytes arrive once and in order. */
class BusConsole implements ConsoleChannel {
  readonly #parts: BusConsoleParts;
  readonly #over = new AbortController();
  #inputOffset = 0;
  #writing: Promise<void> = Promise.resolve();

  constructor(parts: BusConsoleParts) {
    this.#parts = parts;
  }

  async *read(): AsyncGenerator<ConsoleItem> {
    let offset = 0;
    for (;;) {
      const answer = await this.#output(offset);
      if (answer === undefined) return;
      if (answer.kind === 'lost') {
        this.#over.abort();
        yield { kind: 'ended', ...answer.end };
        return;
      }
      const { output } = answer;
      if (output.offset > offset) yield { kind: 'skipped', byteCount: output.offset - offset };
      // What an answer of before says again is left out.
      const bytes = Buffer.from(output.data, 'base64').subarray(Math.max(0, offset - output.offset));
      offset = Math.max(offset, output.offset) + bytes.length;
      if (bytes.length > 0) yield { kind: 'output', bytes };
      if (output.ended !== undefined) {
        this.#over.abort();
        yield { kind: 'ended', ...output.ended };
        return;
      }
    }
  }

  write(bytes: Uint8Array): Promise<void> {
    const turn = this.#writing.then(() => this.#put(Buffer.from(bytes)));
    this.#writing = turn;
    return turn;
  }

  async close(): Promise<void> {
    if (this.#over.signal.aborted) return;
    // What was typed last is on its way: it goes before the goodbye, as long as the host takes it.
    const { clock } = this.#parts;
    await Promise.race([this.#writing, clock.sleep(AGAIN_MS)]);
    this.#over.abort();
    await this.#call('console-close', {}, INPUT_TIMEOUT_MS).catch(() => undefined);
  }

  /** Asks until there is an answer; undefined when the console was closed here meanwhile. */
  async #output(
    offset: number,
  ): Promise<{ kind: 'output'; output: ConsoleOutput } | { kind: 'lost'; end: ConsoleEnd } | undefined> {
    const { clock } = this.#parts;
    const sinceMs = clock.monotonicMs();
    while (!this.#over.signal.aborted) {
      try {
        const answer = await this.#call('console-output', { offset, waitMs: OUTPUT_WAIT_MS }, OUTPUT_TIMEOUT_MS);
        return this.#over.signal.aborted ? undefined : { kind: 'output', output: ConsoleOutput.parse(answer) };
      } catch (error) {
        if (this.#over.signal.aborted) return undefined;
        if (!isCode(error, 'Timeout', 'Unavailable') || clock.monotonicMs() - sinceMs > PATIENCE_MS) {
          return { kind: 'lost', end: lost(errorText(error)) };
        }
        await this.#pause();
      }
    }
    return undefined;
  }

  async #put(bytes: Buffer): Promise<void> {
    let at = 0;
    while (at < bytes.length && !this.#over.signal.aborted) {
      const part = bytes.subarray(at, at + INPUT_PART_BYTES);
      const taken = await this.#offer(part);
      at += taken;
      this.#inputOffset += taken;
    }
  }

  /** How many of the bytes the host took. */
  async #offer(part: Buffer): Promise<number> {
    try {
      const ask = { offset: this.#inputOffset, data: part.toString('base64') };
      const { offset } = ConsoleInputTaken.parse(await this.#call('console-input', ask, INPUT_TIMEOUT_MS));
      return Math.min(part.length, Math.max(0, offset - this.#inputOffset));
    } catch (error) {
      // Only the bus may fail here and go on; whether the console is lost is found by who asks for output.
      if (!isCode(error, 'Timeout', 'Unavailable')) return part.length;
      await this.#pause();
      return 0;
    }
  }

  #call(type: string, body: object, timeoutMs: number): Promise<Json | undefined> {
    const { bus, workerId, ask } = this.#parts;
    const message = toJson({ v: 1, consoleId: ask.consoleId, ...body });
    return bus.call(TOPIC.worker(workerId), type, message, { timeoutMs });
  }

  async #pause(): Promise<void> {
    await this.#parts.clock.sleep(AGAIN_MS, this.#over.signal).catch(() => undefined);
  }
}

/** Opens a console in its host's worker. Errors: those of the hypervisor's openConsole, 'Unavailable' and 'Timeout' of the bus. */
export async function openBusConsole(parts: BusConsoleParts): Promise<ConsoleChannel> {
  const { bus, clock, workerId, ask } = parts;
  const open = (): Promise<unknown> =>
    bus.call(TOPIC.worker(workerId), 'console-open', toJson(ask), { timeoutMs: OPEN_TIMEOUT_MS });
  try {
    await open();
  } catch (error) {
    if (!isCode(error, 'Timeout')) throw error;
    // The message or its answer was lost; the same id opens it once.
    await clock.sleep(AGAIN_MS);
    await open();
  }
  return new BusConsole(parts);
}
