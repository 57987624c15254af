import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Codec } from '../../../../../src/workers/drivers/libvirt/codec.ts';
import {
  encodePacket,
  PacketReader,
  PROGRAM,
  STATUS,
  TYPE,
  type Packet,
} from '../../../../../src/workers/drivers/libvirt/packet.ts';
import {
  LIFECYCLE,
  PROCEDURES,
  remoteError,
  type DomainHandle,
  type LifecycleMessage,
} from '../../../../../src/workers/drivers/libvirt/procedures.ts';
import { XdrReader, XdrWriter } from '../../../../../src/workers/drivers/libvirt/xdr.ts';
import { FakeConsoles } from './fake-consoles.ts';
import { FakeDomains, FakeError } from './fake-domains.ts';

/** libvirtd.conf's max_client_requests: with so many running the daemon reads nothing more from that socket, PINGs included. */
const MAX_CLIENT_REQUESTS = 5;
const NO_PAYLOAD = Buffer.alloc(0);

/** One call that a test took over: it answers when and how it likes. */
export interface HeldCall {
  readonly name: string;
  readonly args: unknown;
  /** Number of the connection, from 0 in the order they were accepted. */
  readonly connection: number;
  /** Carries the call out and answers. */
  reply(): void;
  fail(code: number, message: string): void;
  /** Answers with these bytes as a success. */
  replyRaw(payload: Buffer): void;
  /** Carries the call out, and ends the connection instead of answering. */
  carryOutAndDrop(): void;
  drop(): void;
}

interface Connection {
  readonly number: number;
  readonly socket: Socket;
  readonly reader: PacketReader;
  readonly waiting: Packet[];
  authenticated: boolean;
  opened: boolean;
  events: boolean;
  running: number;
}

type AnyProcedure = { name: string; number: number; args: Codec<unknown>; result: Codec<unknown> };
const BY_NUMBER = new Map(
  Object.values(PROCEDURES).map((procedure) => [procedure.number, procedure as unknown as AnyProcedure]),
);

function bytesOf<T>(codec: Codec<T>, value: T): Buffer {
  const writer = new XdrWriter();
  codec.write(writer, value);
  return writer.bytes();
}

/** A libvirt daemon on its real wire, with a small state machine of domains behind it. It knows the traps: authentication first, one
 * OPEN a socket, five calls at a time, events with serial 1. */
export class FakeLibvirtd {
  readonly dir = mkdtempSync(join(tmpdir(), 'nv-fake-libvirtd-'));
  readonly socketPath = join(this.dir, 'libvirt-sock');
  readonly domains = new FakeDomains((event) => this.pushLifecycle(event));
  readonly consoles = new FakeConsoles(errorPayload);
  /** Names of all calls in the order they were read. */
  readonly calls: string[] = [];
  readonly keepalives = { pings: 0, pongs: 0 };
  /** What a PING gets: nothing, for a daemon that hangs. */
  answersPings = true;
  authTypes: readonly number[] = [0];
  /** Most calls that ran at once on one connection. */
  mostRunning = 0;
  accepted = 0;
  readonly #held = new Map<string, (call: HeldCall) => void>();
  readonly #connections = new Set<Connection>();
  #server: Server | undefined;

  async listen(): Promise<void> {
    const server = createServer((socket) => this.#accept(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen(this.socketPath, resolve));
  }

  /** Like kill -9: all connections end, nothing listens. */
  async stop(): Promise<void> {
    this.dropAll();
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) await new Promise((resolve) => server.close(resolve));
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.dir, { recursive: true, force: true });
  }

  get connections(): number {
    return this.#connections.size;
  }

  dropAll(): void {
    for (const connection of this.#connections) connection.socket.destroy();
  }

  /** Half-closes, as an ssh2 channel shows a dead daemon: 'end' alone. */
  endAll(): void {
    for (const connection of this.#connections) connection.socket.end();
  }

  /** Calls of that name go to the test from now on. */
  hold(name: string, take: (call: HeldCall) => void): void {
    this.#held.set(name, take);
  }

  letGo(name: string): void {
    this.#held.delete(name);
  }

  /** Bytes to every connection, as they are. */
  sendRaw(bytes: Buffer): void {
    for (const connection of this.#connections) connection.socket.write(bytes);
  }

  pushLifecycle(event: Omit<LifecycleMessage, 'callbackId'>): void {
    const payload = bytesOf(LIFECYCLE.body, { callbackId: 0, ...event });
    const head = {
      program: PROGRAM.remote,
      procedure: LIFECYCLE.message,
      type: TYPE.message,
      serial: 1,
      status: STATUS.ok,
    };
    for (const connection of this.#connections) {
      if (connection.events) connection.socket.write(encodePacket({ ...head, payload }));
    }
  }

  ping(): void {
    this.sendRaw(keepalive(1));
  }

  #accept(socket: Socket): void {
    const connection: Connection = {
      number: this.accepted,
      socket,
      reader: new PacketReader(),
      waiting: [],
      authenticated: false,
      opened: false,
      events: false,
      running: 0,
    };
    this.accepted += 1;
    this.#connections.add(connection);
    socket.on('data', (chunk: Buffer) => {
      connection.waiting.push(...connection.reader.push(chunk));
      this.#read(connection);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => this.#connections.delete(connection));
  }

  #read(connection: Connection): void {
    while (connection.running < MAX_CLIENT_REQUESTS) {
      const packet = connection.waiting.shift();
      if (packet === undefined) return;
      if (packet.program === PROGRAM.keepalive) this.#keepalive(connection, packet.procedure);
      else if (packet.type === TYPE.stream) this.consoles.receive(packet, connection.socket);
      else this.#run(connection, packet);
    }
  }

  #keepalive(connection: Connection, procedure: number): void {
    if (procedure === 2) this.keepalives.pongs += 1;
    else this.keepalives.pings += 1;
    if (procedure === 1 && this.answersPings) connection.socket.write(keepalive(2));
  }

  #run(connection: Connection, packet: Packet): void {
    connection.running += 1;
    this.mostRunning = Math.max(this.mostRunning, connection.running);
    const procedure = BY_NUMBER.get(packet.procedure);
    const answer = (status: number, payload: Buffer): void => {
      connection.running -= 1;
      if (!connection.socket.destroyed) {
        connection.socket.write(encodePacket({ ...packet, type: TYPE.reply, status, payload }));
      }
      this.#read(connection);
    };
    const fail = (code: number, message: string): void => answer(STATUS.error, errorPayload(code, message));
    if (procedure === undefined) {
      fail(39, `unknown procedure: ${packet.procedure}`);
      return;
    }
    this.calls.push(procedure.name);
    const args = procedure.args.read(new XdrReader(packet.payload));
    const carryOut = (): unknown => this.#carryOut(connection, procedure.name, args, packet.serial);
    const reply = (): void => {
      try {
        answer(STATUS.ok, bytesOf(procedure.result, carryOut()));
      } catch (error) {
        if (!(error instanceof FakeError)) throw error;
        fail(error.code, error.message);
      }
    };
    const take = this.#held.get(procedure.name);
    if (take === undefined) {
      reply();
      return;
    }
    const drop = (): void => void connection.socket.destroy();
    take({
      name: procedure.name,
      args,
      connection: connection.number,
      reply,
      fail,
      replyRaw: (payload) => answer(STATUS.ok, payload),
      carryOutAndDrop: () => {
        carryOut();
        drop();
      },
      drop,
    });
  }

  #carryOut(connection: Connection, name: string, args: unknown, serial: number): unknown {
    if (name === 'AUTH_LIST') {
      connection.authenticated = this.authTypes.length === 0 || this.authTypes.includes(0);
      return { types: this.authTypes };
    }
    if (name === 'AUTH_POLKIT') {
      connection.authenticated = true;
      return { complete: 1 };
    }
    if (!connection.authenticated) throw new FakeError(39, 'authentication required');
    if (name === 'CONNECT_SUPPORTS_FEATURE') return { value: 1 };
    if (name === 'CONNECT_OPEN') {
      // The real one refuses the second OPEN and drops the first.
      const again = connection.opened;
      connection.opened = !again;
      if (again) throw new FakeError(1, 'connection already open');
      return undefined;
    }
    if (!connection.opened) throw new FakeError(1, 'hypervisor connection not open');
    if (name === 'CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY') {
      if (connection.events) throw new FakeError(8, 'event callback already tracked');
      connection.events = true;
      return { callbackId: 0 };
    }
    if (name === 'DOMAIN_OPEN_CONSOLE') {
      const { dom, flags } = args as { dom: DomainHandle; flags: number };
      this.domains.needActive(dom.uuid);
      return this.consoles.open(dom.uuid, flags, connection.socket, serial);
    }
    return this.domains.carryOut(name, args);
  }
}

function keepalive(procedure: 1 | 2): Buffer {
  const head = { program: PROGRAM.keepalive, procedure, type: TYPE.message, serial: 0, status: STATUS.ok };
  return encodePacket({ ...head, payload: NO_PAYLOAD });
}

function errorPayload(code: number, message: string): Buffer {
  const none = undefined;
  return bytesOf(remoteError, {
    code,
    domain: 10,
    message,
    level: 2,
    dom: none,
    str1: '%s',
    str2: message,
    str3: none,
    int1: -1,
    int2: -1,
  });
}
