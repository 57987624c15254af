import type { Socket } from 'node:net';
import { encodePacket, PROGRAM, STATUS, TYPE, type Packet } from '../../../../../src/workers/drivers/libvirt/packet.ts';
import { FakeError } from './fake-domains.ts';

const OPEN_CONSOLE = 201;
const FORCE = 1;
const NOTHING = Buffer.alloc(0);

interface FakeConsole {
  readonly socket: Socket;
  readonly serial: number;
  readonly uuid: string;
}

/** Serial consoles of the fake daemon, as libvirt 9.0 has them: one session a domain, streams by serial. Input is echoed. */
export class FakeConsoles {
  readonly #open = new Map<string, FakeConsole>();
  readonly #errorPayload: (code: number, message: string) => Buffer;
  /** What clients typed, by domain. */
  readonly typed = new Map<string, string>();
  /** Statuses of the goodbyes of clients: 0 finish, 1 abort. */
  readonly goodbyes: number[] = [];
  echoes = true;

  constructor(errorPayload: (code: number, message: string) => Buffer) {
    this.#errorPayload = errorPayload;
  }

  isHeld(uuid: string): boolean {
    return this.#open.has(uuid);
  }

  /** Of OPEN_CONSOLE, before its answer. */
  open(uuid: string, flags: number, socket: Socket, serial: number): undefined {
    const holder = this.#open.get(uuid);
    if (holder !== undefined) {
      if ((flags & FORCE) === 0)
        throw new FakeError(9, 'operation failed: Active console session exists for this domain');
      this.#send(holder, STATUS.error, this.#errorPayload(39, 'stream had I/O failure'));
    }
    const console = { socket, serial, uuid };
    this.#open.set(uuid, console);
    socket.once('close', () => this.#forget(console));
    return undefined;
  }

  /** A packet of type STREAM. */
  receive(packet: Packet, socket: Socket): void {
    const console = [...this.#open.values()].find((one) => one.socket === socket && one.serial === packet.serial);
    if (console === undefined) return;
    if (packet.status === STATUS.continue) {
      const text = packet.payload.toString('latin1');
      this.typed.set(console.uuid, (this.typed.get(console.uuid) ?? '') + text);
      if (this.echoes) this.print(console.uuid, text);
      return;
    }
    this.goodbyes.push(packet.status);
    this.#forget(console);
    this.#send(console, STATUS.ok, NOTHING);
  }

  /** The guest prints; false when the socket's buffer is full. */
  print(uuid: string, text: string): boolean {
    const console = this.#open.get(uuid);
    return console === undefined || this.#send(console, STATUS.continue, Buffer.from(text, 'latin1'));
  }

  /** QEMU is gone: an empty packet. */
  end(uuid: string): void {
    const console = this.#open.get(uuid);
    this.#open.delete(uuid);
    if (console !== undefined) this.#send(console, STATUS.continue, NOTHING);
  }

  #forget(console: FakeConsole): void {
    if (this.#open.get(console.uuid) === console) this.#open.delete(console.uuid);
  }

  #send({ socket, serial }: FakeConsole, status: number, payload: Buffer): boolean {
    if (socket.destroyed) return true;
    const head = { program: PROGRAM.remote, procedure: OPEN_CONSOLE, type: TYPE.stream, serial, status };
    return socket.write(encodePacket({ ...head, payload }));
  }
}
