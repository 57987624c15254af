import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '../../../base/clock.ts';
import { CloudError, errorText } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Codec } from './codec.ts';
import { fromRemoteError } from './libvirt-errors.ts';
import { encodePacket, PacketReader, PROGRAM, STATUS, TYPE, type Packet } from './packet.ts';
import { LIFECYCLE, remoteError, type LifecycleMessage, type Procedure } from './procedures.ts';
import { XdrReader, XdrWriter } from './xdr.ts';

export const RPC_LIMITS = {
  /** The daemon stops reading a socket that has 5 calls running (max_client_requests); one below leaves room for keepalive. */
  inFlight: 4,
  /** Calls that wait for a place, and how long one may. */
  queued: 1024,
  queueWaitMs: 300_000,
  /** A PING goes out when nothing was heard for this long. */
  keepaliveMs: 5_000,
  /** So many keepalive periods without a byte: the connection is dead. */
  keepaliveMisses: 6,
} as const;

const KEEPALIVE = { ping: 1, pong: 2 } as const;
const NO_PAYLOAD = Buffer.alloc(0);

interface Call {
  readonly name: string;
  readonly packet: Buffer;
  readonly serial: number;
  /** From the moment it is sent. */
  readonly timeoutMs: number;
  readonly settle: (packet: Packet) => void;
  readonly fail: (error: CloudError) => void;
  /** While it waits: for its turn; then: for its answer. */
  timer: Timer;
  /** Nobody waits for the answer any more, but the daemon still works on it: it keeps its place. */
  abandoned: boolean;
}

export interface RpcConnectionOptions {
  readonly stream: Duplex;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onLifecycle: (message: LifecycleMessage) => void;
  /** Called once, whoever ended the connection. */
  readonly onLost: (problem: string) => void;
}

/** The sending side of a stream that a call opened. */
export interface RpcStream {
  /** STATUS.continue with bytes, STATUS.ok to finish, STATUS.error to abort. `sent` is called when the socket has taken it. */
  send(status: number, payload: Buffer, sent?: () => void): void;
}

function encode<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new XdrWriter();
  codec.write(writer, value);
  return writer.bytes();
}

/** Bytes behind what we know are left alone: a newer daemon may append fields. */
function decode<T>(codec: Codec<T>, payload: Buffer): T {
  return codec.read(new XdrReader(payload));
}

const unknownOutcome = (name: string, problem: string): CloudError =>
  new CloudError(
    'Unavailable',
    `libvirt connection lost during ${name}: ${problem}. Its outcome is unknown; look before trying again`,
    {
      details: { procedure: name, outcome: 'unknown' },
    },
  );

const noTurn = (name: string): CloudError =>
  new CloudError('Timeout', `libvirt: ${name} got no turn within ${RPC_LIMITS.queueWaitMs} ms and was not sent`, {
    details: { procedure: name, outcome: 'not-sent' },
  });

const noAnswer = (name: string, timeoutMs: number): CloudError =>
  new CloudError('Timeout', `libvirt: no answer to ${name} within ${timeoutMs} ms; its outcome is unknown`, {
    details: { procedure: name, outcome: 'unknown' },
  });

const notSent = (name: string, problem: string): CloudError =>
  new CloudError('Unavailable', `no libvirt connection for ${name}: ${problem}`, {
    details: { procedure: name, outcome: 'not-sent' },
  });

/**
 * One socket to one libvirt daemon: calls with deadlines, events, keepalive. It never reconnects: a lost one stays lost.
 * Errors of call(): CloudError 'Unavailable' (lost; details.outcome 'unknown' or 'not-sent'), 'Timeout', and those of fromRemoteError.
 */
export class RpcConnection {
  readonly #options: RpcConnectionOptions;
  readonly #reader = new PacketReader();
  readonly #flying = new Map<number, Call>();
  readonly #streams = new Map<number, (packet: Packet) => void>();
  #waiting: Call[] = [];
  #serial = 0;
  #paused = false;
  #problem: string | undefined;
  #silentPeriods = 0;
  readonly #keepalive: Timer;

  constructor(options: RpcConnectionOptions) {
    this.#options = options;
    const { stream } = options;
    stream.on('data', (chunk: Buffer) => this.#receive(chunk));
    // An ssh2 channel is half-open: a dead daemon shows as 'end' alone, and 'close' only after we write.
    stream.on('end', () => this.#lose('the daemon closed the connection'));
    stream.on('error', (error: Error) => this.#lose(errorText(error)));
    stream.on('close', () => this.#lose('connection closed'));
    this.#keepalive = options.clock.every(RPC_LIMITS.keepaliveMs, () => this.#tick(), { unref: true });
  }

  /** Why the connection is no more; undefined while it stands. */
  get problem(): string | undefined {
    return this.#problem;
  }

  call<A, R>(procedure: Procedure<A, R>, args: A, timeoutMs: number): Promise<R> {
    return this.#ask(this.#nextSerial(), procedure, args, timeoutMs);
  }

  /** The same for a procedure that opens a stream. Its packets go to onPacket, also those that come in one read with the answer. */
  async openStream<A, R>(
    procedure: Procedure<A, R>,
    args: A,
    timeoutMs: number,
    onPacket: (packet: Packet) => void,
  ): Promise<RpcStream> {
    const serial = this.#nextSerial();
    this.#streams.set(serial, onPacket);
    try {
      await this.#ask(serial, procedure, args, timeoutMs);
    } catch (error) {
      this.#streams.delete(serial);
      throw error;
    }
    const head = { program: PROGRAM.remote, procedure: procedure.number, type: TYPE.stream, serial };
    return {
      send: (status, payload, sent) => {
        if (this.#problem === undefined) {
          this.#options.stream.write(encodePacket({ ...head, status, payload }), () => sent?.());
        } else sent?.();
      },
    };
  }

  /** Reads nothing more until resume(): what the daemon sends waits in the socket, and silence is no sign of death. */
  pause(): void {
    this.#paused = true;
    this.#options.stream.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#silentPeriods = 0;
    this.#options.stream.resume();
  }

  #ask<A, R>(serial: number, procedure: Procedure<A, R>, args: A, timeoutMs: number): Promise<R> {
    if (this.#problem !== undefined) return Promise.reject(notSent(procedure.name, this.#problem));
    if (this.#waiting.length >= RPC_LIMITS.queued) {
      return Promise.reject(
        new CloudError('Busy', `libvirt: ${RPC_LIMITS.queued} calls wait already; ${procedure.name} was not sent`),
      );
    }
    return new Promise((resolve, reject) => {
      const packet = encodePacket({
        program: PROGRAM.remote,
        procedure: procedure.number,
        type: TYPE.call,
        serial,
        status: STATUS.ok,
        payload: encode(procedure.args, args),
      });
      const settle = (reply: Packet): void => {
        if (reply.status === STATUS.ok) resolve(decode(procedure.result, reply.payload));
        else reject(fromRemoteError(decode(remoteError, reply.payload), procedure.name));
      };
      const timer = this.#options.clock.after(RPC_LIMITS.queueWaitMs, () => this.#expireWaiting(serial));
      const { name } = procedure;
      this.#waiting.push({ name, packet, serial, timeoutMs, settle, fail: reject, timer, abandoned: false });
      this.#pump();
    });
  }

  /** Ends the socket; calls under way fail with outcome unknown. */
  close(problem = 'closed by us'): void {
    this.#lose(problem);
  }

  /** Serial 1 is never used, so that no event (they all carry 1) can even look like an answer. */
  #nextSerial(): number {
    this.#serial = this.#serial >= 0xffffffff || this.#serial < 2 ? 2 : this.#serial + 1;
    return this.#serial;
  }

  #pump(): void {
    while (this.#flying.size < RPC_LIMITS.inFlight) {
      const call = this.#waiting.shift();
      if (call === undefined) return;
      call.timer.cancel();
      call.timer = this.#options.clock.after(call.timeoutMs, () => this.#expireFlying(call));
      this.#flying.set(call.serial, call);
      this.#options.stream.write(call.packet);
    }
  }

  #expireWaiting(serial: number): void {
    const call = this.#waiting.find((one) => one.serial === serial);
    if (call === undefined) return;
    this.#waiting = this.#waiting.filter((one) => one !== call);
    call.fail(noTurn(call.name));
  }

  #expireFlying(call: Call): void {
    call.abandoned = true;
    call.fail(noAnswer(call.name, call.timeoutMs));
    // Every place is held by a call that nobody waits for: only a new connection can help.
    const stuck = [...this.#flying.values()].filter((one) => one.abandoned).length;
    if (stuck >= RPC_LIMITS.inFlight) this.#lose('the daemon does not answer');
  }

  #receive(chunk: Buffer): void {
    if (this.#problem !== undefined) return;
    this.#silentPeriods = 0;
    try {
      for (const packet of this.#reader.push(chunk)) {
        if (this.#problem === undefined) this.#dispatch(packet);
      }
    } catch (error) {
      this.#lose(errorText(error));
    }
  }

  /** By type first: an event's serial is 1 and means nothing. */
  #dispatch(packet: Packet): void {
    if (packet.program === PROGRAM.keepalive) {
      if (packet.procedure === KEEPALIVE.ping) this.#sendKeepalive(KEEPALIVE.pong);
      return;
    }
    if (packet.program !== PROGRAM.remote) return;
    if (packet.type === TYPE.message) this.#event(packet);
    else if (packet.type === TYPE.reply) this.#reply(packet);
    // What comes for a stream that was given up is dropped.
    else if (packet.type === TYPE.stream) this.#streams.get(packet.serial)?.(packet);
    else this.#options.logger.warn('libvirt: packet of a type that was not asked for', { type: packet.type });
  }

  #event(packet: Packet): void {
    if (packet.procedure !== LIFECYCLE.message) return;
    this.#options.onLifecycle(decode(LIFECYCLE.body, packet.payload));
  }

  #reply(packet: Packet): void {
    const call = this.#flying.get(packet.serial);
    if (call === undefined) {
      this.#options.logger.warn('libvirt: answer to no call of ours', { serial: packet.serial });
      return;
    }
    this.#flying.delete(packet.serial);
    call.timer.cancel();
    try {
      if (!call.abandoned) call.settle(packet);
    } catch (error) {
      call.fail(
        new CloudError('HypervisorError', `libvirt: answer to ${call.name} can't be read: ${errorText(error)}`, {
          ...{ cause: error, details: { procedure: call.name, outcome: 'unknown' } },
        }),
      );
    }
    this.#pump();
  }

  #tick(): void {
    if (this.#paused) return;
    this.#silentPeriods += 1;
    if (this.#silentPeriods > RPC_LIMITS.keepaliveMisses) this.#lose('no sign of life from the daemon');
    else this.#sendKeepalive(KEEPALIVE.ping);
  }

  #sendKeepalive(procedure: number): void {
    if (this.#problem !== undefined) return;
    const head = { program: PROGRAM.keepalive, procedure, type: TYPE.message, serial: 0, status: STATUS.ok };
    this.#options.stream.write(encodePacket({ ...head, payload: NO_PAYLOAD }));
  }

  #lose(problem: string): void {
    if (this.#problem !== undefined) return;
    this.#problem = problem;
    this.#keepalive.cancel();
    this.#options.stream.destroy();
    const calls = [...this.#flying.values()].map((call) => ({ call, error: unknownOutcome(call.name, problem) }));
    calls.push(...this.#waiting.map((call) => ({ call, error: notSent(call.name, problem) })));
    this.#flying.clear();
    this.#waiting = [];
    for (const { call, error } of calls) {
      call.timer.cancel();
      if (!call.abandoned) call.fail(error);
    }
    this.#options.onLost(problem);
  }
}
