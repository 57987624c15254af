import type { ClientChannel } from 'ssh2';
import type { Clock } from '../../base/clock.ts';
import { CloudError, isCode } from '../../base/errors.ts';
import { randomHex, type Random } from '../../base/random.ts';
import { bootLine, scriptFor, type RemoteScript } from './remote-script.ts';
import { SessionRun, type RunOutcome } from './session-run.ts';
import { ChannelRefused, type SshConnection } from './ssh-connection.ts';
import type { SshLink } from './ssh-link.ts';
import { neverBegan } from './ssh-problems.ts';
import type { SshLimits, SshTarget } from './ssh-target.ts';

/** What runs on a host needs to know about it. */
export interface HostAccess {
  readonly link: SshLink;
  readonly target: SshTarget;
  readonly clock: Clock;
  readonly random: Random;
  readonly limits: SshLimits;
}

export interface RunRequest {
  /** For messages: the program, or what is done to which file. */
  readonly what: string;
  readonly steps: string;
  readonly input: RemoteScript['input'];
  readonly outputBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Deadlines, and what is fed to the steps; called when the script is sent. */
  readonly drive: (run: SessionRun, channel: ClientChannel) => void;
}

/** The promise, unless the signal comes first; the work behind the promise goes on. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) {
    promise.catch(() => undefined);
    return Promise.reject(signal.reason as Error);
  }
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

const lostBeforeSent = (error: unknown): boolean =>
  isCode(error, 'Unavailable') && error.details?.['outcome'] === 'not-sent' && error.details['reason'] === 'lost';

/**
 * What `open` makes of the connection. One that turns out to be dead before anything was sent on it (sshd was restarted while nobody needed it) is
 * replaced by a new one, once.
 */
export async function onConnection<T>(
  link: SshLink,
  signal: AbortSignal | undefined,
  open: (connection: SshConnection) => Promise<T>,
): Promise<T> {
  try {
    return await open(await unlessAborted(link.get(), signal));
  } catch (error) {
    if (!lostBeforeSent(error) || signal?.aborted === true) throw error;
    return open(await unlessAborted(link.get(), signal));
  }
}

/** A channel and the place it takes, which is free again when the server has closed the channel (or does not say so for a while). */
interface Session {
  readonly connection: SshConnection;
  readonly channel: ClientChannel;
  readonly leave: () => void;
}

/** sshd's MaxSessions may be below our limit: then we come again when one of the others has ended. */
async function openSession(connection: SshConnection, request: RunRequest, command: string): Promise<Session> {
  const { signal, what } = request;
  for (let ahead = false; ; ahead = true) {
    const leave = await connection.sessions.enter({ signal, ahead });
    const opening = connection.openExec(what, command);
    try {
      const channel = await unlessAborted(opening, signal);
      connection.sessions.passed();
      return { connection, channel, leave };
    } catch (error) {
      leave();
      // Nobody waits for it any more; closed before it gets its script, it runs nothing.
      opening.then((late) => late.close()).catch(() => undefined);
      if (!(error instanceof ChannelRefused)) throw error;
      if (!connection.sessions.narrow()) {
        throw new CloudError(
          'HostError',
          `${connection.place} gives us no session at all: set MaxSessions in its sshd_config to 10 or more`,
          { details: { outcome: 'not-sent' }, cause: error },
        );
      }
    }
  }
}

function releaseWhenClosed({ channel, leave }: Session, run: SessionRun, clock: Clock, waitMs: number): void {
  const ended = (): void => {
    const timer = clock.after(waitMs, leave, { unref: true });
    channel.once('close', () => timer.cancel());
  };
  channel.once('close', leave);
  run.outcome.then(ended, ended);
}

/** Runs steps on the host. The outcome's exit code is the steps' own; CloudErrors as HostShell says. */
export async function runOnHost(access: HostAccess, request: RunRequest): Promise<RunOutcome & { exitCode: number }> {
  const { link, target, clock, limits } = access;
  const { signal, what, steps, input } = request;
  signal?.throwIfAborted();
  const token = randomHex(access.random, 32);
  const script = scriptFor({ token, steps, input });
  const command = bootLine(Buffer.byteLength(script), target.sudo);
  const session = await onConnection(link, signal, (connection) => openSession(connection, request, command));
  const { connection, channel } = session;
  const { place } = connection;
  const run = new SessionRun({ channel, clock, limits, token, what, place, outputBytes: request.outputBytes });
  releaseWhenClosed(session, run, clock, limits.killWaitMs);
  const off = connection.onLost((problem) => run.lost(problem));
  const onAbort = (): void => run.fail(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    if (signal?.aborted === true) {
      onAbort();
    } else {
      run.send(script);
      request.drive(run, channel);
    }
    const outcome = await run.outcome;
    const { exitCode } = outcome;
    if (outcome.began && exitCode !== undefined) return { ...outcome, exitCode };
    const end = { user: target.user, sudo: target.sudo, exitCode, stderr: outcome.stderr.toString('utf8') };
    throw neverBegan(place, end);
  } finally {
    off();
    signal?.removeEventListener('abort', onAbort);
  }
}
