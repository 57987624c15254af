import { CloudError } from '../../../base/errors.ts';

/** XDR string<4194304>: the longest text libvirt accepts or sends. Bytes. */
export const XDR_STRING_MAX_BYTES = 4_194_304;

/** What came in can't be what the protocol says. */
const malformed = (what: string): CloudError => new CloudError('HypervisorError', `libvirt wire: ${what}`);

/** What was given to us can't go out. */
export const unsendable = (what: string): CloudError =>
  new CloudError('InvalidParameterValue', `can't be sent to libvirt: ${what}`);

/** RFC 4506 section 3: everything is padded with zeros to a multiple of four bytes. */
const padding = (length: number): number => (4 - (length % 4)) % 4;

/** Appends XDR items (big-endian, 4-byte units) to a growing buffer. */
export class XdrWriter {
  #buffer = Buffer.alloc(256);
  #length = 0;

  #reserve(bytes: number): number {
    const at = this.#length;
    if (at + bytes > this.#buffer.length) {
      const grown = Buffer.alloc(Math.max(this.#buffer.length * 2, at + bytes));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    this.#length = at + bytes;
    return at;
  }

  int(value: number): void {
    if (!Number.isInteger(value) || value < -0x80000000 || value > 0x7fffffff) throw unsendable(`${value} is no int32`);
    const at = this.#reserve(4);
    this.#buffer.writeInt32BE(value, at);
  }

  uint(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 0xffffffff) throw unsendable(`${value} is no uint32`);
    const at = this.#reserve(4);
    this.#buffer.writeUInt32BE(value, at);
  }

  hyper(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) throw unsendable(`${value} is no int64`);
    const at = this.#reserve(8);
    this.#buffer.writeBigInt64BE(value, at);
  }

  uhyper(value: bigint): void {
    if (BigInt.asUintN(64, value) !== value) throw unsendable(`${value} is no uint64`);
    const at = this.#reserve(8);
    this.#buffer.writeBigUInt64BE(value, at);
  }

  double(value: number): void {
    const at = this.#reserve(8);
    this.#buffer.writeDoubleBE(value, at);
  }

  /** Bytes without a length in front, padded. */
  fixed(bytes: Buffer): void {
    const at = this.#reserve(bytes.length + padding(bytes.length));
    bytes.copy(this.#buffer, at);
    this.#buffer.fill(0, at + bytes.length, this.#length);
  }

  string(text: string, maxBytes = XDR_STRING_MAX_BYTES): void {
    const bytes = Buffer.from(text, 'utf8');
    if (bytes.length > maxBytes) throw unsendable(`string of ${bytes.length} bytes, at most ${maxBytes} are allowed`);
    this.uint(bytes.length);
    this.fixed(bytes);
  }

  /** A copy of what was written so far. */
  bytes(): Buffer {
    return Buffer.from(this.#buffer.subarray(0, this.#length));
  }
}

/** Takes XDR items from a buffer; every length is checked against its limit and against what is left. */
export class XdrReader {
  readonly #buffer: Buffer;
  #at = 0;

  constructor(buffer: Buffer) {
    this.#buffer = buffer;
  }

  get remaining(): number {
    return this.#buffer.length - this.#at;
  }

  #take(bytes: number): number {
    if (bytes > this.remaining) throw malformed(`${bytes} bytes wanted, ${this.remaining} left`);
    const at = this.#at;
    this.#at += bytes;
    return at;
  }

  int(): number {
    return this.#buffer.readInt32BE(this.#take(4));
  }

  uint(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  hyper(): bigint {
    return this.#buffer.readBigInt64BE(this.#take(8));
  }

  uhyper(): bigint {
    return this.#buffer.readBigUInt64BE(this.#take(8));
  }

  double(): number {
    return this.#buffer.readDoubleBE(this.#take(8));
  }

  /** A copy, so that a small field does not keep a packet of 32 MiB alive. */
  fixed(length: number): Buffer {
    const at = this.#take(length + padding(length));
    return Buffer.from(this.#buffer.subarray(at, at + length));
  }

  string(maxBytes = XDR_STRING_MAX_BYTES): string {
    return this.fixed(this.count(maxBytes, 'string')).toString('utf8');
  }

  /** A length or item count, refused above its limit before anything is allocated for it. */
  count(limit: number, what: string): number {
    const count = this.uint();
    if (count > limit) throw malformed(`${what} of ${count}, at most ${limit} are allowed`);
    return count;
  }

  malformed(what: string): CloudError {
    return malformed(what);
  }
}
