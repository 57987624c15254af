import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { signRequest, type AccessKey } from '../../src/base/signature/sign-request.ts';

/**
 * A client that costs next to nothing, in a process of its own: one socket a lane, kept; requests are written as bytes that were made and signed beforehand, and what
 * comes back is counted in one buffer that is used again. Jobs are lines of JSON on stdin, results lines on stdout.
 */
export interface LoadJob {
  readonly port: number;
  readonly method: 'GET' | 'PUT';
  /** Connections, each with one request at a time. */
  readonly lanes: number;
  readonly count: number;
  /** Asked for one after the other, and again from the first. Percent-encoded. */
  readonly targets: readonly string[];
  /** Of each body that is sent. */
  readonly sizeBytes: number;
  /** Version 4 in the header; absent: not signed. `hash`: the body's SHA-256 is signed; else UNSIGNED-PAYLOAD. */
  readonly signing?: { readonly key: AccessKey; readonly payload: 'hash' | 'unsigned' };
}

export interface LoadResult {
  readonly seconds: number;
  /** Of bodies, both ways. */
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const MIB = 1024 * 1024;
const READ_BYTES = MIB / 2;
/** Bodies that are larger are made of it, again and again. */
const BODY = randomBytes(8 * MIB);

interface Exchange {
  readonly head: Buffer;
  readonly sizeBytes: number;
}

function headOf(job: LoadJob, target: string): Buffer {
  const { port, method, sizeBytes, signing } = job;
  const sent = method === 'PUT' ? { 'content-length': String(sizeBytes) } : {};
  const bare = { host: `127.0.0.1:${port}`, ...sent };
  const body = signing?.payload === 'hash' ? BODY.subarray(0, method === 'PUT' ? sizeBytes : 0) : undefined;
  const asked = { method, target, headers: bare, body, region: 'nova', service: 's3', nowMs: Date.now() };
  const headers = signing === undefined ? bare : signRequest(asked, signing.key);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
}

/** One connection. */
class Lane {
  readonly #socket: Socket;
  #head = '';
  /** Bytes of the answer's body that are still to come; undefined: its head is. */
  #left: number | undefined;
  #bytes = 0;
  #done: ((bytes: number) => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  constructor(port: number) {
    const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
    const callback = (length: number, read: Uint8Array): boolean => this.#take(length, read);
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer, callback } });
    this.#socket.on('error', (error) => this.#failed?.(error));
    this.#socket.on('close', () => this.#failed?.(new Error('the server ended the connection')));
  }

  async ask({ head, sizeBytes }: Exchange): Promise<number> {
    const answered = new Promise<number>((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
    });
    if (sizeBytes <= BODY.length) {
      this.#socket.cork();
      this.#socket.write(head);
      if (sizeBytes > 0) this.#socket.write(BODY.subarray(0, sizeBytes));
      this.#socket.uncork();
    } else {
      answered.catch(() => undefined);
      this.#socket.write(head);
      for (let at = 0; at < sizeBytes; at += MIB) {
        const from = at % BODY.length;
        const piece = BODY.subarray(from, from + Math.min(MIB, sizeBytes - at));
        const drained = new Promise((resolve) => this.#socket.once('drain', resolve));
        // A server that refuses answers before it has all.
        if (!this.#socket.write(piece)) await Promise.race([drained, answered]);
      }
    }
    return answered;
  }

  #take(length: number, buffer: Uint8Array): boolean {
    let at = 0;
    if (this.#left === undefined) {
      const seen = this.#head.length;
      this.#head += Buffer.from(buffer.buffer, buffer.byteOffset, length).toString('latin1');
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return true;
      if (!this.#head.startsWith('HTTP/1.1 200 ')) {
        this.#failed?.(new Error(this.#head.slice(0, 600)));
        return true;
      }
      this.#bytes = Number(/\r\ncontent-length: *(\d+)/i.exec(this.#head.slice(0, end + 2))?.[1] ?? Number.NaN);
      this.#left = this.#bytes;
      at = end + 4 - seen;
    }
    this.#left -= length - at;
    if (this.#left > 0) return true;
    if (this.#left === 0) this.#end();
    else this.#failed?.(new Error('the answer is longer than it says, or does not say'));
    return true;
  }

  #end(): void {
    this.#head = '';
    this.#left = undefined;
    this.#done?.(this.#bytes);
  }

  close(): void {
    this.#failed = undefined;
    this.#socket.destroy();
  }
}

async function run(job: LoadJob): Promise<LoadResult> {
  const { count, method, port } = job;
  const sent = method === 'PUT' ? job.sizeBytes : 0;
  const exchanges = job.targets.map((target) => ({ head: headOf(job, target), sizeBytes: sent }));
  const lanes = Array.from({ length: job.lanes }, () => new Lane(port));
  const times: number[] = [];
  let [next, bytes] = [0, 0];
  const work = async (lane: Lane): Promise<void> => {
    while (next < count) {
      const exchange = exchanges[next % exchanges.length];
      if (exchange === undefined) return;
      next += 1;
      const atMs = performance.now();
      const got = await lane.ask(exchange);
      bytes += got + sent;
      times.push(performance.now() - atMs);
    }
  };
  const beganMs = performance.now();
  try {
    await Promise.all(lanes.map((lane) => work(lane)));
  } finally {
    for (const lane of lanes) lane.close();
  }
  const seconds = (performance.now() - beganMs) / 1000;
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.floor((times.length - 1) * part)] ?? Number.NaN;
  return { seconds, bytes, p50Ms: at(0.5), p99Ms: at(0.99) };
}

if (import.meta.main) {
  for await (const line of createInterface({ input: process.stdin })) {
    const result = await run(JSON.parse(line) as LoadJob).catch((error: unknown) => ({ failed: String(error) }));
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }
}
