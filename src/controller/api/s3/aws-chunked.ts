import { timingSafeEqual } from 'node:crypto';
import { CloudError } from '../../../base/errors.ts';
import { ChunkSignatures, type ChunkSeed } from '../../../base/signature/signature-chunks.ts';

export interface AwsChunkedOptions {
  /** Each chunk, and the trailer, must be signed after it; undefined: none is. */
  readonly seed: ChunkSeed | undefined;
  readonly hasTrailer: boolean;
  /** What `x-amz-decoded-content-length` says. */
  readonly length: number;
}

/** Of one line: the head of a chunk, or a header of the trailer. */
const LINE_MAX_BYTES = 4096;
const TRAILER_MAX_LINES = 16;
const SIGNATURE = 'chunk-signature=';
const TRAILER_SIGNATURE = 'x-amz-trailer-signature';

const badChunk = (text: string): CloudError => new CloudError('InvalidRequest', `the body is not aws-chunked: ${text}`);

type State = 'head' | 'data' | 'data-end' | 'trailer' | 'end';

/**
 * Takes the bytes of a body in `aws-chunked` apart as they come, whatever the size of its chunks: nothing but a line that is not at its end is kept. The signature
 * of a chunk is known to be right only when the chunk is over, so bytes count for nothing before the end of all.
 */
export class AwsChunkedDecoder {
  readonly #options: AwsChunkedOptions;
  readonly #signatures: ChunkSignatures | undefined;
  readonly #trailers = new Map<string, string>();
  #trailerText = '';
  #trailerSignature: string | undefined;
  #state: State = 'head';
  #line: Buffer = Buffer.alloc(0);
  #left = 0;
  #isLast = false;
  #claimed = '';
  #decoded = 0;

  constructor(options: AwsChunkedOptions) {
    this.#options = options;
    this.#signatures = options.seed === undefined ? undefined : new ChunkSignatures(options.seed);
  }

  /** Headers that came behind the last chunk, by lower-case name; whole when the body is. */
  get trailers(): ReadonlyMap<string, string> {
    return this.#trailers;
  }

  /** What of the bytes is content. Errors: 'InvalidRequest', 'SignatureDoesNotMatch', 'IncompleteBody'. */
  push(bytes: Buffer): Buffer[] {
    const content: Buffer[] = [];
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#state === 'data') {
        const piece = rest.subarray(0, this.#left);
        rest = rest.subarray(piece.length);
        this.#left -= piece.length;
        this.#signatures?.update(piece);
        content.push(piece);
        if (this.#left === 0) this.#state = 'data-end';
        continue;
      }
      if (this.#state === 'end') throw badChunk('there is more behind its end');
      const at = rest.indexOf(0x0a);
      const part = at < 0 ? rest : rest.subarray(0, at + 1);
      if (this.#line.length + part.length > LINE_MAX_BYTES) throw badChunk('a line is too long');
      this.#line = this.#line.length === 0 ? Buffer.from(part) : Buffer.concat([this.#line, part]);
      rest = rest.subarray(part.length);
      if (at >= 0) this.#takeLine();
    }
    return content;
  }

  /** The body is over. Errors: 'IncompleteBody' unless its last chunk was there. */
  finish(): void {
    // Some clients leave the last empty line out.
    const isOver =
      this.#state === 'end' ||
      (this.#isLast && this.#line.length === 0 && (this.#state === 'trailer' || this.#state === 'data-end'));
    if (!isOver) throw new CloudError('IncompleteBody', 'the body ended before its last chunk');
    if (this.#state !== 'end') this.#end();
  }

  #takeLine(): void {
    const text = this.#line.toString('latin1').replace(/\r?\n$/, '');
    this.#line = Buffer.alloc(0);
    if (this.#state === 'head') this.#takeHead(text);
    else if (this.#state === 'data-end') this.#endChunk(text);
    else this.#takeTrailer(text);
  }

  #takeHead(text: string): void {
    const match = /^([0-9a-fA-F]{1,13})(?:;(.*))?$/.exec(text);
    if (match === null) throw badChunk('a chunk must begin with its size in hex digits');
    const size = Number.parseInt(match[1] ?? '', 16);
    if (this.#signatures !== undefined) {
      const extension = match[2] ?? '';
      const claimed = extension.startsWith(SIGNATURE) ? extension.slice(SIGNATURE.length) : '';
      if (!/^[0-9a-f]{64}$/.test(claimed)) throw badChunk(`a chunk has no ${SIGNATURE} of 64 lower-case hex digits`);
      this.#claimed = claimed;
    }
    this.#decoded += size;
    if (this.#decoded > this.#options.length)
      throw badChunk('its chunks are more than x-amz-decoded-content-length says');
    this.#left = size;
    this.#isLast = size === 0;
    if (!this.#isLast) {
      this.#state = 'data';
      return;
    }
    if (this.#decoded !== this.#options.length) throw incomplete(this.#decoded, this.#options.length);
    this.#checkSignature();
    this.#state = 'trailer';
  }

  #endChunk(text: string): void {
    if (text !== '') throw badChunk('a chunk is longer than it says');
    this.#checkSignature();
    this.#state = 'head';
  }

  #checkSignature(): void {
    if (this.#signatures !== undefined) requireEqual(this.#signatures.endChunk(), this.#claimed, 'a chunk');
  }

  #takeTrailer(text: string): void {
    if (text === '') return this.#end();
    const at = text.indexOf(':');
    const name = text.slice(0, Math.max(at, 0)).trim().toLowerCase();
    const value = text.slice(at + 1).trim();
    if (!this.#options.hasTrailer || name === '') throw badChunk('there is something behind the last chunk');
    if (this.#trailers.has(name) || this.#trailers.size >= TRAILER_MAX_LINES || this.#trailerSignature !== undefined)
      throw badChunk('its trailer has a header twice, too many of them, or one behind the signature');
    if (name === TRAILER_SIGNATURE) {
      this.#trailerSignature = value;
      return;
    }
    this.#trailers.set(name, value);
    this.#trailerText += `${name}:${value}\n`;
  }

  #end(): void {
    this.#state = 'end';
    if (this.#signatures === undefined || !this.#options.hasTrailer) return;
    requireEqual(this.#signatures.trailer(this.#trailerText), this.#trailerSignature ?? '', 'the trailer');
  }
}

const incomplete = (came: number, length: number): CloudError =>
  new CloudError('IncompleteBody', `x-amz-decoded-content-length says ${length} bytes, and ${came} came`);

function requireEqual(expected: string, claimed: string, what: string): void {
  const [a, b] = [Buffer.from(expected, 'latin1'), Buffer.from(claimed, 'latin1')];
  if (a.length === b.length && timingSafeEqual(a, b)) return;
  throw new CloudError(
    'SignatureDoesNotMatch',
    `the signature of ${what} is not what the secret of this access key gives for it; check that nothing on the way changes bodies`,
  );
}
