import type { createHash as nodeHash, Hash } from 'node:crypto';
import { Worker, type MessagePort } from 'node:worker_threads';
import { CloudError, errorText } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import { KIB } from '../../base/units.ts';

/** Larger ones save nothing, and the bytes of smaller ones wait less. */
export const BLOCK_BYTES = 512 * KIB;
/** Of one body: one is filled while others are counted and written. */
const BLOCKS = 4;
/** Bodies that are counted there at a time: 32 MiB of blocks. What comes beyond them is counted where it is received, so nobody waits for a turn. */
const LANES = 16;

/** First the memory of a lane, then bytes of it that go into the lane's hash; nothing of both ends the hash. All but the first is answered, in order: with the digest in hex, or with nothing to say. */
interface Message {
  readonly lane: number;
  readonly memory?: SharedArrayBuffer;
  readonly piece?: { readonly at: number; readonly sizeBytes: number };
}

/**
 * What runs in the thread. It is sent there as its text, so that there is no second file to build and to find: nothing from outside may be named
 * in it but its parameters.
 */
function countInThread(port: MessagePort, createHash: typeof nodeHash): void {
  const memories = new Map<number, SharedArrayBuffer>();
  const hashes = new Map<number, Hash>();
  port.on('message', ({ lane, memory, piece }: Message) => {
    if (memory !== undefined) {
      memories.set(lane, memory);
      return;
    }
    const hash = hashes.get(lane) ?? createHash('md5');
    const from = memories.get(lane);
    if (piece === undefined || from === undefined) {
      hashes.delete(lane);
      port.postMessage(hash.digest('hex'));
      return;
    }
    hashes.set(lane, hash.update(new Uint8Array(from, piece.at, piece.sizeBytes)));
    port.postMessage('');
  });
}

const THREAD = `'use strict';
(${countInThread.toString()})(require('node:worker_threads').parentPort, require('node:crypto').createHash);`;

interface Waiting {
  readonly resolve: (answer: string) => void;
  readonly reject: (error: Error) => void;
}

/** The MD5 of one body, and the memory that its bytes pass through. */
export interface Md5Lane {
  /** Shared with the thread, BLOCK_BYTES each; to be used in turn. */
  readonly blocks: readonly Uint8Array[];
  /** The first bytes of a block, which must stay as they are until this resolves. 'Unavailable'. */
  update(block: number, sizeBytes: number): Promise<unknown>;
  /** In hex. 'Unavailable'. */
  digest(): Promise<string>;
  /** Once, at the end, whatever it was. */
  release(): void;
}

/** One thread that counts the MD5 of large bodies: as long as all else that a byte costs together. Started when it is first needed. */
export class Md5Thread {
  readonly #logger: Logger;
  readonly #code: string;
  /** By lane. Told to the thread once. */
  readonly #memories: SharedArrayBuffer[] = [];
  readonly #freeLanes: number[] = [];
  #worker: Worker | undefined;
  /** Those that wait for an answer, in the order of what was asked. */
  #waiting: Waiting[] = [];
  #isOver = false;

  /** `code`: what runs in it, for tests. */
  constructor(logger: Logger, code = THREAD) {
    this.#logger = logger;
    this.#code = code;
  }

  /** Undefined: count it yourself. All lanes are taken, or there is no thread any more. */
  lane(): Md5Lane | undefined {
    if (this.#isOver) return undefined;
    const lane = this.#freeLanes.pop() ?? this.#newLane();
    const memory = lane === undefined ? undefined : this.#memories[lane];
    if (lane === undefined || memory === undefined) return undefined;
    let isOpen = false;
    return {
      blocks: Array.from({ length: BLOCKS }, (_, n) => new Uint8Array(memory, n * BLOCK_BYTES, BLOCK_BYTES)),
      update: (block, sizeBytes) => {
        isOpen = true;
        return this.#ask({ lane, piece: { at: block * BLOCK_BYTES, sizeBytes } });
      },
      digest: () => {
        isOpen = false;
        return this.#ask({ lane });
      },
      release: () => {
        // What the thread still reads of the blocks goes into a digest that nobody asks for.
        if (isOpen) void this.#ask({ lane });
        this.#freeLanes.push(lane);
      },
    };
  }

  #newLane(): number | undefined {
    const lane = this.#memories.length;
    if (lane >= LANES) return undefined;
    const memory = new SharedArrayBuffer(BLOCKS * BLOCK_BYTES);
    this.#memories.push(memory);
    this.#worker ??= this.#start();
    this.#worker.postMessage({ lane, memory } satisfies Message);
    return lane;
  }

  #ask(message: Message): Promise<string> {
    const answer = new Promise<string>((resolve, reject) => {
      const worker = this.#worker;
      if (this.#isOver || worker === undefined) {
        reject(new CloudError('Unavailable', 'the object store is closed, or its thread for checksums has failed'));
        return;
      }
      // A process may not end while an answer is to come.
      if (this.#waiting.length === 0) worker.ref();
      this.#waiting.push({ resolve, reject });
      worker.postMessage(message);
    });
    // It may be waited for later; an error must not be nobody's until then.
    answer.catch(() => undefined);
    return answer;
  }

  #start(): Worker {
    const worker = new Worker(this.#code, { eval: true, execArgv: [], env: {}, name: 'md5' });
    worker.unref();
    worker.on('message', (answer: string) => {
      this.#waiting.shift()?.resolve(answer);
      if (this.#waiting.length === 0) worker.unref();
    });
    worker.on('error', (error) => this.#end(errorText(error)));
    worker.on('exit', () => this.#end('it has ended'));
    return worker;
  }

  /** There is no second one: what has failed once would fail again, and it can be done without. */
  #end(why: string): void {
    if (!this.#isOver)
      this.#logger.error(
        'the thread that counts checksums of the object store has failed; they are counted without it',
        {
          error: why,
        },
      );
    this.#isOver = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    const error = new CloudError(
      'Unavailable',
      `the checksum of the body can't be counted to its end (${why}); try again`,
    );
    for (const { reject } of waiting) reject(error);
  }

  /** Who waits for an answer gets 'Unavailable'. */
  async close(): Promise<void> {
    this.#isOver = true;
    await this.#worker?.terminate();
    this.#end('the object store was closed');
  }
}
