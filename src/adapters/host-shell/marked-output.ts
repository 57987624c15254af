import { endMark, startMark } from './remote-script.ts';

/** What login shells print before our script begins is kept to this length, for messages. */
const NOISE_BYTES = 2_000;

/** How many bytes at the end of `bytes` are the beginning of `mark`. */
function beginningOfMark(bytes: Buffer, mark: Buffer): number {
  for (let length = Math.min(bytes.length, mark.length - 1); length > 0; length -= 1) {
    if (bytes.subarray(-length).equals(mark.subarray(0, length))) return length;
  }
  return 0;
}

/**
 * One output stream of a remote script, as it comes in: noise of the login, start mark, the command's own bytes, end mark with the exit code.
 * The marks make it certain that all of the output is there, even if something that was left running holds the stream open.
 */
export class MarkedOutput {
  readonly #start: Buffer;
  readonly #end: Buffer;
  readonly #body: Buffer[] = [];
  #state: 'before' | 'body' | 'code' | 'done' = 'before';
  /** Bytes that may be the beginning of a mark. */
  #held: Buffer = Buffer.alloc(0);
  #noise: Buffer = Buffer.alloc(0);
  #bodyBytes = 0;
  #exitCode: number | undefined;

  constructor(token: string) {
    this.#start = Buffer.from(startMark(token));
    this.#end = Buffer.from(endMark(token));
  }

  get began(): boolean {
    return this.#state !== 'before';
  }

  /** The exit code, once the end mark is here. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  get bodyBytes(): number {
    return this.#bodyBytes;
  }

  push(chunk: Buffer): void {
    if (this.#state === 'done') return;
    let rest: Buffer | undefined = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.alloc(0);
    while (rest !== undefined) rest = this.#step(rest);
  }

  /** The command's bytes so far; what is held back for a mark that did not come belongs to them. */
  body(): Buffer {
    return Buffer.concat(this.#state === 'body' ? [...this.#body, this.#held] : this.#body);
  }

  /** What came before the start mark. */
  noise(): Buffer {
    return this.#state === 'before' ? Buffer.concat([this.#noise, this.#held]) : this.#noise;
  }

  /** Consumes `bytes` as far as this state goes; answers what is left for the next one. */
  #step(bytes: Buffer): Buffer | undefined {
    if (this.#state === 'code') return this.#readCode(bytes);
    const mark = this.#state === 'before' ? this.#start : this.#end;
    const at = bytes.indexOf(mark);
    if (at >= 0) {
      this.#keep(bytes.subarray(0, at));
      this.#state = this.#state === 'before' ? 'body' : 'code';
      return bytes.subarray(at + mark.length);
    }
    const sure = bytes.length - beginningOfMark(bytes, mark);
    this.#keep(bytes.subarray(0, sure));
    this.#held = bytes.subarray(sure);
    return undefined;
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    if (this.#state === 'before') {
      this.#noise = Buffer.concat([this.#noise, bytes]).subarray(-NOISE_BYTES);
    } else {
      this.#bodyBytes += bytes.length;
      this.#body.push(bytes);
    }
  }

  #readCode(bytes: Buffer): undefined {
    const dot = bytes.indexOf('.');
    if (dot < 0) {
      this.#held = bytes;
      return undefined;
    }
    this.#exitCode = Number(bytes.subarray(0, dot).toString('latin1'));
    this.#state = 'done';
    return undefined;
  }
}
