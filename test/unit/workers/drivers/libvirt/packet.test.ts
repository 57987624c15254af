import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodePacket,
  HEADER_BYTES,
  PACKET_MAX_BYTES,
  PacketReader,
  type Packet,
} from '../../../../../src/workers/drivers/libvirt/packet.ts';

const packet: fc.Arbitrary<Packet> = fc.record({
  program: fc.constantFrom(0x20008086, 0x6b656570),
  procedure: fc.nat(500),
  type: fc.nat(6),
  serial: fc.nat(0xffffffff),
  status: fc.nat(2),
  payload: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
});

function lengthWord(length: number): Buffer {
  const word = Buffer.alloc(4);
  word.writeUInt32BE(length);
  return word;
}

describe('packets', () => {
  it('come out of the stream as they went in, however it is cut', () => {
    fc.assert(
      fc.property(fc.array(packet, { maxLength: 8 }), fc.array(fc.nat(40), { maxLength: 60 }), (packets, cuts) => {
        const stream = Buffer.concat(packets.map((one) => encodePacket(one)));
        const reader = new PacketReader();
        const out: Packet[] = [];
        let at = 0;
        for (const cut of cuts) {
          out.push(...reader.push(stream.subarray(at, at + cut)));
          at += cut;
        }
        out.push(...reader.push(stream.subarray(at)));
        expect(out).toEqual(packets);
        expect(reader.buffered).toBe(0);
      }),
    );
  });

  it('count the length word itself: an empty call is 28 bytes', () => {
    const bytes = encodePacket({ program: 1, procedure: 2, type: 0, serial: 3, status: 0, payload: Buffer.alloc(0) });
    expect(bytes.length).toBe(HEADER_BYTES);
    expect(bytes.readUInt32BE(0)).toBe(28);
  });

  it.each([0, 3, 4, 27, PACKET_MAX_BYTES + 1, 0xffffffff])('refuse a length of %i', (length) => {
    expect(() => new PacketReader().push(lengthWord(length))).toThrow(/outside 28/);
  });

  it('take the largest packet that libvirt sends, in 64 KiB pieces', () => {
    const payload = Buffer.alloc(PACKET_MAX_BYTES - HEADER_BYTES, 7);
    const bytes = encodePacket({ program: 1, procedure: 2, type: 1, serial: 3, status: 0, payload });
    const reader = new PacketReader();
    const out: Packet[] = [];
    for (let at = 0; at < bytes.length; at += 65_536) out.push(...reader.push(bytes.subarray(at, at + 65_536)));
    expect(out).toHaveLength(1);
    expect(out[0]?.payload.equals(payload)).toBe(true);
  });

  it('refuse to send more than that', () => {
    const payload = Buffer.alloc(PACKET_MAX_BYTES);
    expect(() => encodePacket({ program: 1, procedure: 2, type: 0, serial: 3, status: 0, payload })).toThrow(/at most/);
  });
});
