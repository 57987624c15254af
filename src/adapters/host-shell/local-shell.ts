import { createHash } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import type { Clock } from '../../base/clock.ts';
import { writeDurably } from '../../base/durable-file.ts';
import { CloudError, errorText } from '../../base/errors.ts';
import { randomHex, type Random } from '../../base/random.ts';
import {
  SHELL_LIMITS,
  SHELL_TMP,
  type ExecOptions,
  type ExecResult,
  type HostShell,
  type ShellGuard,
  type WriteOptions,
} from '../../ports/host-shell.ts';
import { downloadInParts } from './download.ts';
import { refuseStale, staleClaim } from './guard-script.ts';
import { runLocally, type RunningCommand } from './local-exec.ts';

const READ_CHUNK_BYTES = 64 * 1024;

/** A failed file operation in the port's words; what is one of its errors already stays. */
function fileError(doing: string, path: string, error: unknown): CloudError {
  if (error instanceof CloudError) return error;
  const { code } = error as NodeJS.ErrnoException;
  const details = { path, ...(code === undefined ? {} : { errno: code }) };
  if (doing === 'read' && (code === 'ENOENT' || code === 'ENOTDIR')) {
    return new CloudError('NotFound', `no file ${path}`, { details, cause: error });
  }
  return new CloudError('HostError', `could not ${doing} ${path}: ${errorText(error)}`, { details, cause: error });
}

/** Until the end of the file or `limit` bytes. The size is not asked for: files of the kernel say 0. */
async function readUpTo(path: string, fromByte: number, limit: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    const chunks: Buffer[] = [];
    let done = 0;
    while (done < limit) {
      const chunk = Buffer.allocUnsafe(Math.min(READ_CHUNK_BYTES, limit - done));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, fromByte + done);
      if (bytesRead === 0) break;
      chunks.push(chunk.subarray(0, bytesRead));
      done += bytesRead;
    }
    return Buffer.concat(chunks, done);
  } finally {
    await file.close();
  }
}

async function readBounded(path: string, options: { maxBytes?: number; fromByte?: number }): Promise<Buffer> {
  const from = options.fromByte ?? 0;
  if (options.maxBytes !== undefined) return readUpTo(path, from, options.maxBytes);
  const body = await readUpTo(path, from, SHELL_LIMITS.outputBytes + 1);
  if (body.length <= SHELL_LIMITS.outputBytes) return body;
  throw new CloudError(
    'HostError',
    `${path} holds more than ${SHELL_LIMITS.outputBytes} bytes; read it in parts (maxBytes)`,
  );
}

/** The same bytes, counted into the hash as they pass. */
async function* hashed(body: Readable, hash: ReturnType<typeof createHash>): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
    hash.update(bytes);
    yield bytes;
  }
}

function connect(path: string, sockets: Set<Socket>): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ path });
    const onError = (error: Error): void => reject(fileError('connect to', path, error));
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      resolve(socket);
    });
  });
}

/** This machine as a host. Needs no daemon and no login; commands run as the user of this process. */
export function createLocalShell(parts: { clock: Clock; random: Random; name?: string }): HostShell {
  const running = new Set<RunningCommand>();
  const sockets = new Set<Socket>();
  const name = parts.name ?? 'local';
  let closed = false;
  const closedError = (): CloudError => new CloudError('HostError', `the shell on ${name} is closed`);
  /** Every call ends here: closed shells refuse, failures of the system get the port's codes. */
  const guard = async <T>(doing: string, path: string, work: () => Promise<T>): Promise<T> => {
    if (closed) throw closedError();
    try {
      return await work();
    } catch (error) {
      throw fileError(doing, path, error);
    }
  };
  const exec = async (argv: readonly string[], options: ExecOptions): Promise<ExecResult> => {
    if (closed) throw closedError();
    const result = await runLocally(argv, options, parts.clock, running);
    refuseStale(options.guard, name, result);
    return result;
  };
  /** Without the lock, which Node can not hold: whoever stops for good between the look and the rename is this very process. */
  const publisher = (guard: ShellGuard | undefined) =>
    guard === undefined
      ? undefined
      : async (tmpPath: string, path: string): Promise<void> => {
          const claim = await readFile(guard.claimPath, 'utf8').catch(() => '');
          if (!claim.startsWith(guard.expect)) throw staleClaim(name, claim);
          await rename(tmpPath, path);
        };
  const durable = (path: string, options: WriteOptions): Parameters<typeof writeDurably>[2] => ({
    mode: options.mode ?? 0o600,
    uid: options.uid,
    gid: options.gid,
    publish: publisher(options.guard),
    tmpPath: join(dirname(path), `${SHELL_TMP.prefix}${randomHex(parts.random, 16)}${SHELL_TMP.suffix}`),
  });
  return {
    name,
    exec: (argv, options = {}) => exec(argv, options),
    readFile: (path, options = {}) => guard('read', path, () => readBounded(path, options)),
    writeFile: (path, body, options = {}) =>
      guard('write', path, () => writeDurably(path, [Buffer.from(body)], durable(path, options))),
    upload: async (path, body, options) => {
      // A source may fail before anybody reads it; the reading then says so, this only keeps it from ending the process.
      body.on('error', () => undefined);
      const hash = createHash('sha256');
      const accept = (): void => {
        const actual = hash.digest('hex');
        if (actual === options.sha256) return;
        const details = { path, expected: options.sha256, actual };
        throw new CloudError('HostError', `what arrived for ${path} is not what was sent (SHA-256 differs)`, {
          details,
        });
      };
      const how = { ...durable(path, options), accept };
      await guard('write', path, () => writeDurably(path, hashed(body, hash), how)).finally(() => body.destroy());
    },
    download: (path) =>
      downloadInParts((fromByte, maxBytes) => guard('read', path, () => readBounded(path, { fromByte, maxBytes }))),
    connectUnix: (path) => (closed ? Promise.reject(closedError()) : connect(path, sockets)),
    close: () => {
      closed = true;
      for (const command of running) command.cancel(closedError());
      for (const socket of sockets) socket.destroy();
      return Promise.resolve();
    },
  };
}
