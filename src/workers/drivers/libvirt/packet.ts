import { CloudError } from '../../../base/errors.ts';

/** Header in front of each payload: length u32 (it counts itself), then six 32-bit words. Bytes. */
export const HEADER_BYTES = 28;

/** libvirt 9.0 sends at most 32 MiB behind the length word. */
export const PACKET_MAX_BYTES = 4 + 33_554_432;

export const PROGRAM = { remote: 0x20008086, keepalive: 0x6b656570 } as const;
export const PROGRAM_VERSION = 1;

/** virNetMessageType. Types 4 and 5 carry file descriptors and are never used here. */
export const TYPE = { call: 0, reply: 1, message: 2, stream: 3 } as const;

/** virNetMessageStatus. */
export const STATUS = { ok: 0, error: 1, continue: 2 } as const;

export interface Packet {
  readonly program: number;
  readonly procedure: number;
  readonly type: number;
  /** The caller's own number; replies echo it. Events carry 1, whatever the documentation says: never match an event by it. */
  readonly serial: number;
  readonly status: number;
  readonly payload: Buffer;
}

/** All words big-endian: length, program, version, procedure, type, serial, status. */
export function encodePacket(packet: Packet): Buffer {
  const length = HEADER_BYTES + packet.payload.length;
  if (length > PACKET_MAX_BYTES) {
    throw new CloudError(
      'HypervisorError',
      `libvirt wire: packet of ${length} bytes, at most ${PACKET_MAX_BYTES} are allowed`,
    );
  }
  const out = Buffer.allocUnsafe(length);
  out.writeUInt32BE(length, 0);
  out.writeUInt32BE(packet.program, 4);
  out.writeUInt32BE(PROGRAM_VERSION, 8);
  out.writeInt32BE(packet.procedure, 12);
  out.writeInt32BE(packet.type, 16);
  out.writeUInt32BE(packet.serial, 20);
  out.writeInt32BE(packet.status, 24);
  packet.payload.copy(out, HEADER_BYTES);
  return out;
}

function decodePacket(bytes: Buffer): Packet {
  return {
    program: bytes.readUInt32BE(4),
    procedure: bytes.readInt32BE(12),
    type: bytes.readInt32BE(16),
    serial: bytes.readUInt32BE(20),
    status: bytes.readInt32BE(24),
    payload: bytes.subarray(HEADER_BYTES),
  };
}

/** Cuts a byte stream into packets. A length outside [28, 32 MiB + 4] throws: the stream is then worth nothing any more. */
export class PacketReader {
  #chunks: Buffer[] = [];
  #buffered = 0;

  /** Bytes that wait for the rest of their packet. */
  get buffered(): number {
    return this.#buffered;
  }

  push(chunk: Buffer): Packet[] {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    const packets: Packet[] = [];
    for (;;) {
      const length = this.#nextLength();
      if (length === undefined || length > this.#buffered) return packets;
      packets.push(decodePacket(this.#shift(length)));
    }
  }

  #nextLength(): number | undefined {
    if (this.#buffered < 4) return undefined;
    const length = this.#joinAtLeast(4).readUInt32BE(0);
    if (length < HEADER_BYTES || length > PACKET_MAX_BYTES) {
      throw new CloudError(
        'HypervisorError',
        `libvirt wire: packet length ${length} is outside ${HEADER_BYTES}..${PACKET_MAX_BYTES}`,
      );
    }
    return length;
  }

  /** Joins chunks only as far as needed: a packet of 32 MiB in 64 KiB reads is copied once, not five hundred times. */
  #joinAtLeast(bytes: number): Buffer {
    const first = this.#chunks[0];
    if (first !== undefined && first.length >= bytes) return first;
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #shift(bytes: number): Buffer {
    const joined = this.#joinAtLeast(bytes);
    const rest = joined.subarray(bytes);
    this.#chunks[0] = rest;
    if (rest.length === 0) this.#chunks.shift();
    this.#buffered -= bytes;
    return joined.subarray(0, bytes);
  }
}
