import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import type { ClientChannel } from 'ssh2';
import { CloudError, errorText } from '../../base/errors.ts';
import { randomHex } from '../../base/random.ts';
import { SHELL_LIMITS, SHELL_TMP, type WriteOptions } from '../../ports/host-shell.ts';
import { refuseStale } from './guard-script.ts';
import { DIGEST_DIFFERS, execSteps, fileSteps, readArgv } from './remote-script.ts';
import type { SessionRun } from './session-run.ts';
import { onConnection, runOnHost, type HostAccess } from './ssh-run.ts';

/** Written at a time, so that progress shows and one large chunk is not taken for a stall. */
const PIECE_BYTES = 256 * 1024;
/** The steps print only errors. */
const WORDS_BYTES = 64 * 1024;
const READ_TIMEOUT_MS = SHELL_LIMITS.timeoutMs;

/** What strerror says in the C locale for ENOENT and ENOTDIR: there is no such file. */
const ABSENT = /: (No such file or directory|Not a directory)\s*$/;

function hostError(access: HostAccess, doing: string, path: string, why: string, cause?: unknown): CloudError {
  return new CloudError('HostError', `could not ${doing} ${path} on ${access.target.host}: ${why}`, {
    details: { path },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** From `fromByte` on, at most `maxBytes`; without that more than SHELL_LIMITS.outputBytes is 'HostError'. */
export async function readRemote(
  access: HostAccess,
  path: string,
  options: { maxBytes?: number; fromByte?: number },
): Promise<Buffer> {
  const limit = options.maxBytes ?? SHELL_LIMITS.outputBytes + 1;
  const { exitCode, stdout, stderr } = await runOnHost(access, {
    what: `read ${path}`,
    steps: execSteps(readArgv(path, options.fromByte ?? 0, limit)),
    input: { kind: 'watched', backstopSeconds: Math.ceil((READ_TIMEOUT_MS + access.limits.backstopMs) / 1000) },
    outputBytes: limit + WORDS_BYTES,
    drive: (run) => run.expectWithin(READ_TIMEOUT_MS, `did not end within ${READ_TIMEOUT_MS} ms`),
  });
  if (exitCode !== 0) {
    const words = stderr.toString('utf8').trim();
    if (ABSENT.test(words)) throw new CloudError('NotFound', `no file ${path}`, { details: { path } });
    throw hostError(access, 'read', path, words || `dd ended with exit code ${exitCode}`);
  }
  if (options.maxBytes !== undefined || stdout.length < limit) return stdout;
  throw hostError(
    access,
    'read',
    path,
    `it holds more than ${SHELL_LIMITS.outputBytes} bytes; read it in parts (maxBytes)`,
  );
}

function* pieces(chunk: unknown): Generator<Buffer> {
  const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : (chunk as Uint8Array);
  const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < whole.length; at += PIECE_BYTES) yield whole.subarray(at, at + PIECE_BYTES);
}

/** Sends the body at the pace at which the host takes it. Ends early, without an error of its own, when the run is over. */
async function feed(access: HostAccess, body: Readable, run: SessionRun, channel: ClientChannel): Promise<void> {
  const { stallMs, finishMs } = access.limits;
  const over = run.outcome.then(
    () => undefined,
    () => undefined,
  );
  const moved = (): void => run.expectWithin(stallMs, `stood still for ${stallMs} ms`);
  moved();
  for await (const chunk of body) {
    for (const piece of pieces(chunk)) {
      const taken = new Promise<void>((resolve) => channel.write(piece, () => resolve()));
      await Promise.race([taken, over]);
      if (run.over) return;
      moved();
    }
  }
  run.expectWithin(finishMs, `was not on disk within ${finishMs} ms`);
  channel.end();
}

/** Streams a body to a file; see fileSteps for what the host does. So many at a time (limits.uploads), for they last. */
export async function uploadRemote(
  access: HostAccess,
  path: string,
  body: Readable,
  options: WriteOptions & { sha256: string },
): Promise<void> {
  // A source may fail before anybody reads it; the reading then says so, this only keeps it from ending the process.
  body.on('error', () => undefined);
  try {
    const leave = await onConnection(access.link, undefined, (connection) => connection.uploads.enter());
    try {
      await writeNow(access, path, body, options);
    } finally {
      leave();
    }
  } finally {
    body.destroy();
  }
}

async function writeNow(
  access: HostAccess,
  path: string,
  body: Readable,
  options: WriteOptions & { sha256: string },
): Promise<void> {
  if (!/^[0-9a-f]{64}$/.test(options.sha256)) {
    throw new CloudError('InvalidParameterValue', `the SHA-256 of ${path} is no 64 hex digits: ${options.sha256}`);
  }
  const folder = posix.dirname(path);
  const tmpPath = posix.join(folder, `${SHELL_TMP.prefix}${randomHex(access.random, 16)}${SHELL_TMP.suffix}`);
  const { mode = 0o600, uid, gid, sha256, guard } = options;
  const { exitCode, stderr } = await runOnHost(access, {
    what: `write ${path}`,
    steps: fileSteps({ path, tmpPath, folder, sha256, mode, uid, gid, guard }),
    input: { kind: 'fed' },
    outputBytes: WORDS_BYTES,
    drive: (run, channel) => {
      const fail = (error: unknown): void => run.fail(hostError(access, 'write', path, errorText(error), error));
      feed(access, body, run, channel).catch(fail);
    },
  });
  if (exitCode === 0) return;
  const words = stderr.toString('utf8').trim();
  refuseStale(guard, access.target.host, { exitCode, stderr: words });
  if (exitCode === DIGEST_DIFFERS && words === '') {
    throw hostError(access, 'write', path, 'what arrived is not what was sent (SHA-256 differs)');
  }
  throw hostError(access, 'write', path, words || `the steps ended with exit code ${exitCode}`);
}

/** A whole file at once. */
export function writeWhole(
  access: HostAccess,
  path: string,
  body: string | Buffer,
  options: WriteOptions,
): Promise<void> {
  const bytes = Buffer.from(body);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return writeNow(access, path, Readable.from([bytes], { objectMode: true }), { ...options, sha256 });
}
