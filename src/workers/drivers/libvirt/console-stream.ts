import { Duplex } from 'node:stream';
import type { Clock } from '../../../base/clock.ts';
import { CloudError, errorText, isCode } from '../../../base/errors.ts';
import { fromRemoteError, libvirtCode, VIR_ERR } from './libvirt-errors.ts';
import type { Link } from './link.ts';
import { STATUS, type Packet } from './packet.ts';
import { byUuid, PROCEDURES, remoteError } from './procedures.ts';
import type { RpcConnection, RpcStream } from './rpc-connection.ts';
import { XdrReader } from './xdr.ts';

const OPEN_TIMEOUT_MS = 30_000;
/** virDomainConsoleFlags. SAFE: refuse a driver that can't keep two sessions apart. */
const CONSOLE = { force: 1, safe: 2 } as const;
/** One packet of input; the daemon takes 256 KiB, and one that a stopped guest does not drain must not be large. */
const INPUT_MAX_BYTES = 16 * 1024;
const BUFFER_BYTES = 64 * 1024;
/** After an end the daemon needs a moment to see that QEMU is gone. */
const LOOK = { times: 8, pauseMs: 250 } as const;
/** How long the goodbye may take before the socket is just closed. */
const GOODBYE_MS = 1000;
const NOTHING = Buffer.alloc(0);

export interface ConsoleParts {
  readonly uuid: string;
  readonly force: boolean;
  readonly clock: Clock;
  /** A link of this console alone: one that nobody reads blocks every call of its connection. */
  readonly link: (onDown: (problem: string) => void) => Link;
  /** Whether QEMU of the domain lives; asked over another connection. */
  readonly isOn: () => Promise<boolean>;
}

const takenOver = (): CloudError =>
  new CloudError('Conflict', 'the console was taken over by another session', { details: { ended: 'taken-over' } });

const lost = (problem: string): CloudError =>
  new CloudError('Unavailable', `the console's connection to libvirt was lost: ${problem}`);

/** An open console as Node's stream. Reading is paced by the socket: a full buffer stops it. */
class ConsoleStream extends Duplex {
  readonly #parts: ConsoleParts;
  #link: Link | undefined;
  #rpc: RpcConnection | undefined;
  #stream: RpcStream | undefined;
  /** What came before the answer to the call was seen. */
  #early: Packet[] = [];
  #over = false;

  constructor(parts: ConsoleParts) {
    super({ highWaterMark: BUFFER_BYTES, allowHalfOpen: true });
    this.#parts = parts;
  }

  async open(): Promise<void> {
    const { uuid, force } = this.#parts;
    const link = this.#parts.link((problem) => {
      if (!this.#over) this.destroy(lost(problem));
    });
    this.#link = link;
    const flags = CONSOLE.safe | (force ? CONSOLE.force : 0);
    try {
      this.#rpc = await link.ready();
      const args = { dom: byUuid(uuid), device: undefined, flags };
      const stream = await this.#rpc.openStream(PROCEDURES.openConsole, args, OPEN_TIMEOUT_MS, (packet) =>
        this.#receive(packet),
      );
      this.#stream = stream;
      for (const packet of this.#early) this.#take(packet, stream);
      this.#early = [];
    } catch (error) {
      this.#over = true;
      this.destroy();
      throw explained(error);
    }
  }

  override _read(): void {
    this.#rpc?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    const stream = this.#stream;
    if (stream === undefined || this.#over) {
      done();
      return;
    }
    let at = 0;
    // One packet at a time: the next goes out when the socket has taken this one.
    const next = (): void => {
      if (at >= chunk.length) {
        done();
        return;
      }
      const part = chunk.subarray(at, at + INPUT_MAX_BYTES);
      at += part.length;
      stream.send(STATUS.continue, part, next);
    };
    next();
  }

  override _final(done: () => void): void {
    if (!this.#over) this.#stream?.send(STATUS.ok, NOTHING);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const link = this.#link;
    const wasOver = this.#over;
    this.#over = true;
    if (wasOver || this.#stream === undefined || !link?.up) link?.close();
    else {
      const timer = this.#parts.clock.after(GOODBYE_MS, () => link.close(), { unref: true });
      this.#stream.send(STATUS.error, NOTHING, () => {
        timer.cancel();
        link.close();
      });
    }
    done(error);
  }

  #receive(packet: Packet): void {
    if (this.#stream === undefined) this.#early.push(packet);
    else this.#take(packet, this.#stream);
  }

  #take(packet: Packet, stream: RpcStream): void {
    if (this.#over) return;
    if (packet.status === STATUS.continue && packet.payload.length > 0) {
      // The payload is a view into the read buffer, which lives on as long as one byte of it waits here.
      if (!this.push(Buffer.from(packet.payload))) this.#rpc?.pause();
      return;
    }
    this.#over = true;
    if (packet.status === STATUS.ok) {
      this.#finish();
      return;
    }
    if (packet.status === STATUS.continue) stream.send(STATUS.ok, NOTHING);
    const said = packet.status === STATUS.error ? streamError(packet).message : 'the stream ended';
    this.#judge(said).then(
      (error) => {
        if (error === undefined) this.#finish();
        else this.destroy(error);
      },
      (error: unknown) => this.destroy(lost(errorText(error))),
    );
  }

  /**
   * The stream ended by itself: because the guest did (then undefined), because another session has the console now (libvirt 9.0 says "stream had I/O
   * failure" for that, and nothing else), or for a reason of the host's.
   */
  async #judge(said: string): Promise<CloudError | undefined> {
    const { clock, isOn } = this.#parts;
    for (let look = 0; look < LOOK.times; look += 1) {
      if (!(await isOn())) return undefined;
      if (await this.#isHeld()) return takenOver();
      await clock.sleep(LOOK.pauseMs);
    }
    return lost(said);
  }

  /** Only a session that asks for the console is told whether another has it. */
  async #isHeld(): Promise<boolean> {
    const probe = new ConsoleStream({ ...this.#parts, force: false });
    try {
      await probe.open();
      return false;
    } catch (error) {
      return isCode(error, 'Conflict');
    } finally {
      probe.destroy();
    }
  }

  #finish(): void {
    this.push(null);
    this.#link?.close();
    if (!this.writableEnded) this.end();
  }
}

function streamError(packet: Packet): CloudError {
  return fromRemoteError(remoteError.read(new XdrReader(packet.payload)), PROCEDURES.openConsole.name);
}

function explained(error: unknown): unknown {
  const code = libvirtCode(error);
  if (code === VIR_ERR.operationFailed) {
    return new CloudError('Conflict', 'another session has this console; --force takes it over', { cause: error });
  }
  if (code === VIR_ERR.operationInvalid) {
    return new CloudError('IncorrectState', 'the guest is not running, so it has no console to connect to', {
      cause: error,
    });
  }
  return isCode(error, 'NotFound')
    ? new CloudError('NotFound', 'the host has no such domain', { cause: error })
    : error;
}

/** virDomainOpenConsole; see the port for how it ends. */
export async function openConsoleStream(parts: ConsoleParts): Promise<Duplex> {
  const stream = new ConsoleStream(parts);
  // A console that nobody listens to may be lost, too: that is no fault of the process.
  stream.on('error', () => undefined);
  await stream.open();
  return stream;
}
